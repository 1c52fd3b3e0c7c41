-- Mean speed per road and hour of the day
SELECT road, hour(ts) AS hour_utc, round(avg(speed_kmh), 1) AS mean_kmh, count(*) AS samples
FROM vehicle
GROUP BY road, hour(ts)
ORDER BY road, hour_utc
