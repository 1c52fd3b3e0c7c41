-- Fuel used per trip, and per 100 km, in percent of a tank
SELECT trip_id,
       min(fuel_type) AS fuel_type,
       round(max(fuel_pct) - min(fuel_pct), 2) AS used_pct,
       round(100 * (max(fuel_pct) - min(fuel_pct)) / nullif(max(odometer_km) - min(odometer_km), 0), 2) AS pct_per_100_km
FROM vehicle
GROUP BY trip_id
ORDER BY pct_per_100_km DESC, trip_id
