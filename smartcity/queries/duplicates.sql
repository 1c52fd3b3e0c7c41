-- Event ids stored more than once (there should be none)
SELECT 'vehicle' AS events, event_id, count(*) AS copies FROM vehicle GROUP BY event_id HAVING count(*) > 1
UNION ALL SELECT 'gps', event_id, count(*) FROM gps GROUP BY event_id HAVING count(*) > 1
UNION ALL SELECT 'camera', event_id, count(*) FROM camera GROUP BY event_id HAVING count(*) > 1
UNION ALL SELECT 'weather', event_id, count(*) FROM weather GROUP BY event_id HAVING count(*) > 1
UNION ALL SELECT 'emergency', event_id, count(*) FROM emergency GROUP BY event_id HAVING count(*) > 1
LIMIT 100
