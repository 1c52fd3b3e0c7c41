-- Where the limit is broken most: share of samples above the limit per road
SELECT road,
       count(*) AS samples,
       round(100e0 * count_if(speed_kmh > limit_kmh) / count(*), 2) AS above_limit_pct,
       round(max(speed_kmh - limit_kmh), 1) AS most_above_kmh
FROM vehicle
WHERE limit_kmh > 0
GROUP BY road
ORDER BY above_limit_pct DESC, road
