-- How good is the position: share of samples per fix, with precision and satellites
SELECT fix,
       count(*) AS samples,
       round(100e0 * count(*) / sum(count(*)) OVER (), 2) AS share_pct,
       round(avg(hdop), 2) AS mean_hdop,
       round(avg(satellites), 1) AS mean_satellites
FROM gps
GROUP BY fix
ORDER BY samples DESC
