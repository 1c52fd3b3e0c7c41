-- Do people slow down in bad weather? Mean speed per condition, weather as of the same minute
SELECT w.condition,
       count(*) AS samples,
       round(avg(v.speed_kmh), 1) AS mean_kmh,
       round(avg(v.speed_kmh - v.limit_kmh), 1) AS mean_against_limit_kmh
FROM vehicle v
JOIN (
  SELECT trip_id, date_trunc('minute', ts) AS at_minute, max_by(condition, ts) AS condition
  FROM weather
  GROUP BY trip_id, date_trunc('minute', ts)
) w ON w.trip_id = v.trip_id AND w.at_minute = date_trunc('minute', v.ts)
GROUP BY w.condition
ORDER BY samples DESC, w.condition
