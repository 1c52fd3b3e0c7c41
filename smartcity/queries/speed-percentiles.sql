-- Slow, usual and fast on each road: 10th, 50th and 90th percentile of speed
SELECT road,
       round(approx_percentile(speed_kmh, 0.1), 1) AS slow_kmh,
       round(approx_percentile(speed_kmh, 0.5), 1) AS usual_kmh,
       round(approx_percentile(speed_kmh, 0.9), 1) AS fast_kmh
FROM vehicle
GROUP BY road
ORDER BY usual_kmh DESC, road
