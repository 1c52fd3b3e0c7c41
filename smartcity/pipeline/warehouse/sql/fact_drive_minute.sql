-- One row per trip, vehicle, minute and road: how far, how fast, in which weather.
CREATE TEMP TABLE new_minute AS
SELECT v.trip_id, v.vehicle_id, v.minute, v.road, w.condition || '/' || w.wetness AS weather_key, v.samples,
       v.mean_speed_kmh, v.top_speed_kmh, v.limit_kmh, v.over_limit, v.distance_km, v.fuel_pct
FROM (
  SELECT trip_id, vehicle_id, DATE_TRUNC('minute', ts) AS minute, road, COUNT(*) AS samples,
         AVG(speed_kmh) AS mean_speed_kmh, MAX(speed_kmh) AS top_speed_kmh, MAX(limit_kmh) AS limit_kmh,
         SUM(CASE WHEN speed_kmh > limit_kmh THEN 1 ELSE 0 END) AS over_limit,
         MAX(odometer_km) - MIN(odometer_km) AS distance_km, MIN(fuel_pct) AS fuel_pct
  FROM {schema}.vehicle WHERE TRUNC(ts) IN ({days})
  GROUP BY trip_id, vehicle_id, DATE_TRUNC('minute', ts), road
) AS v
LEFT JOIN minute_weather w ON w.vehicle_id = v.vehicle_id AND w.minute = v.minute;
MERGE INTO {schema}.fact_drive_minute USING new_minute
ON fact_drive_minute.trip_id = new_minute.trip_id AND fact_drive_minute.vehicle_id = new_minute.vehicle_id
  AND fact_drive_minute.minute = new_minute.minute
  AND fact_drive_minute.road = new_minute.road
WHEN MATCHED THEN UPDATE SET weather_key = new_minute.weather_key, samples = new_minute.samples,
  mean_speed_kmh = new_minute.mean_speed_kmh, top_speed_kmh = new_minute.top_speed_kmh,
  limit_kmh = new_minute.limit_kmh, over_limit = new_minute.over_limit, distance_km = new_minute.distance_km,
  fuel_pct = new_minute.fuel_pct
WHEN NOT MATCHED THEN INSERT (trip_id, vehicle_id, minute, road, weather_key, samples, mean_speed_kmh, top_speed_kmh,
  limit_kmh, over_limit, distance_km, fuel_pct)
VALUES (new_minute.trip_id, new_minute.vehicle_id, new_minute.minute, new_minute.road, new_minute.weather_key,
  new_minute.samples, new_minute.mean_speed_kmh, new_minute.top_speed_kmh, new_minute.limit_kmh,
  new_minute.over_limit, new_minute.distance_km, new_minute.fuel_pct)
