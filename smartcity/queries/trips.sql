-- Every trip: vehicle, start, duration, distance
SELECT trip_id,
       min(vehicle_id) AS vehicle_id,
       min(make) || ' ' || min(model) AS car,
       min(ts) AS started,
       round(date_diff('second', min(ts), max(ts)) / 60.0, 1) AS minutes,
       round(max(odometer_km) - min(odometer_km), 1) AS km,
       round(avg(speed_kmh), 1) AS mean_kmh
FROM vehicle
GROUP BY trip_id
ORDER BY started DESC, trip_id
