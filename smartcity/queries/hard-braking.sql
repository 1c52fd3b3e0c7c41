-- Hard braking: more than 10 km/h lost within one second
WITH steps AS (
  SELECT trip_id, ts, road, latitude, longitude, speed_kmh,
         lag(speed_kmh) OVER trip AS before_kmh,
         date_diff('millisecond', lag(ts) OVER trip, ts) AS ms
  FROM vehicle
  WINDOW trip AS (PARTITION BY trip_id ORDER BY ts)
)
SELECT trip_id, ts, road,
       round(before_kmh, 1) AS before_kmh,
       round(speed_kmh, 1) AS after_kmh,
       latitude, longitude
FROM steps
WHERE ms BETWEEN 1 AND 1000 AND before_kmh - speed_kmh > 10
ORDER BY before_kmh - speed_kmh DESC, ts
