-- From the event to the lake: seconds between ts and ingested_at
-- Meaningful for events sent as they happen (simulate --speed 1).
SELECT dt, count(*) AS events,
       round(approx_percentile(date_diff('millisecond', ts, ingested_at) / 1000e0, 0.5), 1) AS usual_s,
       round(approx_percentile(date_diff('millisecond', ts, ingested_at) / 1000e0, 0.99), 1) AS slow_s
FROM vehicle
GROUP BY dt
ORDER BY dt
