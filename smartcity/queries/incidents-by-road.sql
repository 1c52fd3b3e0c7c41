-- Incidents per road and kind
SELECT road, kind, count(DISTINCT incident_id) AS incidents, max(lanes_closed) AS most_lanes_closed
FROM emergency
GROUP BY road, kind
ORDER BY incidents DESC, road, kind
