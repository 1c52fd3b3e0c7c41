-- Incidents whose last report does not say that they are cleared
SELECT incident_id, max_by(road, ts) AS road, max_by(kind, ts) AS kind, max_by(severity, ts) AS severity,
       max_by(status, ts) AS status, max(ts) AS last_report
FROM emergency
GROUP BY incident_id
HAVING max_by(status, ts) NOT IN ('cleared', 'resolved', 'closed')
ORDER BY last_report DESC
