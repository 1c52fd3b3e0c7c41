-- Time, mean and top speed on each road of a trip
-- :trip_id  the trip
WITH steps AS (
  SELECT road, ts, speed_kmh, limit_kmh,
         coalesce(date_diff('millisecond', ts, lead(ts) OVER (ORDER BY ts)), 0) / 1000.0 AS seconds
  FROM vehicle
  WHERE trip_id = :trip_id
)
SELECT road,
       min(ts) AS first_seen,
       round(sum(seconds) / 60, 1) AS minutes,
       round(sum(speed_kmh * seconds) / nullif(sum(seconds), 0), 1) AS mean_kmh,
       round(max(speed_kmh), 1) AS top_kmh,
       max(limit_kmh) AS limit_kmh
FROM steps
GROUP BY road
ORDER BY first_seen
