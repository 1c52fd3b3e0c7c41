-- Each gives its name and how many rows break it.
SELECT 'dim_time is unique', COUNT(*) - COUNT(DISTINCT minute) FROM {schema}.dim_time;
SELECT 'dim_vehicle is unique', COUNT(*) - COUNT(DISTINCT vehicle_id) FROM {schema}.dim_vehicle;
SELECT 'dim_road is unique', COUNT(*) - COUNT(DISTINCT road) FROM {schema}.dim_road;
SELECT 'dim_weather is unique', COUNT(*) - COUNT(DISTINCT weather_key) FROM {schema}.dim_weather;
SELECT 'fact_incident is unique', COUNT(*) - COUNT(DISTINCT incident_id) FROM {schema}.fact_incident;
SELECT 'fact_drive_minute is unique', COUNT(*) FROM (
  SELECT trip_id, vehicle_id, minute, road FROM {schema}.fact_drive_minute
  GROUP BY trip_id, vehicle_id, minute, road HAVING COUNT(*) > 1
) AS twice;
SELECT 'every drive has its vehicle', COUNT(*) FROM {schema}.fact_drive_minute f
LEFT JOIN {schema}.dim_vehicle d ON d.vehicle_id = f.vehicle_id WHERE d.vehicle_id IS NULL;
SELECT 'every drive has its road', COUNT(*) FROM {schema}.fact_drive_minute f
LEFT JOIN {schema}.dim_road d ON d.road = f.road WHERE d.road IS NULL;
SELECT 'every drive has its minute', COUNT(*) FROM {schema}.fact_drive_minute f
LEFT JOIN {schema}.dim_time d ON d.minute = f.minute WHERE d.minute IS NULL;
SELECT 'every weather of a drive exists', COUNT(*) FROM {schema}.fact_drive_minute f
LEFT JOIN {schema}.dim_weather d ON d.weather_key = f.weather_key
WHERE f.weather_key IS NOT NULL AND d.weather_key IS NULL;
SELECT 'every incident has its road', COUNT(*) FROM {schema}.fact_incident f
LEFT JOIN {schema}.dim_road d ON d.road = f.road WHERE d.road IS NULL;
SELECT 'every incident has its minute', COUNT(*) FROM {schema}.fact_incident f
LEFT JOIN {schema}.dim_time d ON d.minute = f.minute WHERE d.minute IS NULL;
SELECT 'drives hold every vehicle sample', ABS((SELECT COUNT(*) FROM {schema}.vehicle)
  - (SELECT COALESCE(SUM(samples), 0) FROM {schema}.fact_drive_minute));
SELECT 'no loaded day waits for its star', COUNT(*) FROM {schema}.star_day
