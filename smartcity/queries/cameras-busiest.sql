-- The busiest cameras: vehicles in view and speed of the flow
SELECT camera_id, min(road) AS road, count(*) AS frames,
       round(avg(vehicles_in_view), 1) AS mean_vehicles,
       round(avg(avg_flow_kmh), 1) AS mean_flow_kmh
FROM camera
GROUP BY camera_id
ORDER BY mean_vehicles DESC, camera_id
LIMIT 20
