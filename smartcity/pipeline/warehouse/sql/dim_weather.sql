-- A condition with how wet it is: dry, light (below 2.5 mm/h) or heavy.
CREATE TEMP TABLE minute_weather AS
SELECT vehicle_id, DATE_TRUNC('minute', ts) AS minute, MIN(condition) AS condition,
       CASE WHEN MAX(precipitation_mm_h) <= 0 THEN 'dry' WHEN MAX(precipitation_mm_h) < 2.5 THEN 'light' ELSE 'heavy' END AS wetness
FROM {schema}.weather WHERE TRUNC(ts) IN ({days}) GROUP BY vehicle_id, DATE_TRUNC('minute', ts);
CREATE TEMP TABLE new_weather AS
SELECT DISTINCT condition || '/' || wetness AS weather_key, condition, wetness FROM minute_weather;
MERGE INTO {schema}.dim_weather USING new_weather ON dim_weather.weather_key = new_weather.weather_key
WHEN MATCHED THEN UPDATE SET condition = new_weather.condition
WHEN NOT MATCHED THEN INSERT (weather_key, condition, wetness)
VALUES (new_weather.weather_key, new_weather.condition, new_weather.wetness)
