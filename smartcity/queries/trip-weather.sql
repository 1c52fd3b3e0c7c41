-- The weather along a trip, quarter of an hour by quarter of an hour
-- :trip_id  the trip
SELECT date_trunc('hour', ts) + interval '15' minute * (minute(ts) / 15) AS from_time,
       max_by(condition, ts) AS condition,
       round(avg(temperature_c), 1) AS temperature_c,
       round(max(precipitation_mm_h), 1) AS most_rain_mm_h,
       round(max(wind_kmh), 0) AS top_wind_kmh,
       min(visibility_m) AS least_visibility_m,
       max(air_quality_index) AS worst_air
FROM weather
WHERE trip_id = :trip_id
GROUP BY 1
ORDER BY 1
