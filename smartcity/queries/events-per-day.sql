-- Events per table and day
SELECT 'vehicle' AS events, dt, count(*) AS n FROM vehicle GROUP BY dt
UNION ALL SELECT 'gps', dt, count(*) FROM gps GROUP BY dt
UNION ALL SELECT 'camera', dt, count(*) FROM camera GROUP BY dt
UNION ALL SELECT 'weather', dt, count(*) FROM weather GROUP BY dt
UNION ALL SELECT 'emergency', dt, count(*) FROM emergency GROUP BY dt
ORDER BY dt, events
