-- Congestion per road: share of camera frames per level
SELECT road, congestion, count(*) AS frames,
       round(100e0 * count(*) / sum(count(*)) OVER (PARTITION BY road), 1) AS share_pct
FROM camera
GROUP BY road, congestion
ORDER BY road, frames DESC
