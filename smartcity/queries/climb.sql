-- Metres climbed and descended per trip
WITH steps AS (
  SELECT trip_id, altitude_m - lag(altitude_m) OVER (PARTITION BY trip_id ORDER BY ts) AS metres FROM gps
)
SELECT trip_id,
       round(sum(greatest(metres, 0)), 0) AS up_m,
       round(-sum(least(metres, 0)), 0) AS down_m
FROM steps
GROUP BY trip_id
ORDER BY up_m DESC, trip_id
