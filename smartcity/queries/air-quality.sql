-- Air quality per day: mean, worst, and share of measurements above 100
SELECT dt,
       round(avg(air_quality_index), 1) AS mean_index,
       max(air_quality_index) AS worst_index,
       round(100e0 * count_if(air_quality_index > 100) / count(*), 1) AS above_100_pct
FROM weather
GROUP BY dt
ORDER BY dt
