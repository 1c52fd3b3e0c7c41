-- Where cars stand: seconds at less than 5 km/h per road
SELECT road, count(*) AS seconds_standing, count(DISTINCT trip_id) AS trips
FROM vehicle
WHERE speed_kmh < 5
GROUP BY road
ORDER BY seconds_standing DESC, road
