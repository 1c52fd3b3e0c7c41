-- One row per incident, over all days on which it was reported: an incident may outlast midnight.
CREATE TEMP TABLE new_incident AS
SELECT e.incident_id, MIN(e.road) AS road, MIN(e.kind) AS kind, MIN(e.severity) AS severity,
       DATE_TRUNC('minute', MIN(e.ts)) AS minute, MIN(e.ts) AS first_report, MAX(e.ts) AS last_report,
       COUNT(*) AS reports, COUNT(DISTINCT e.vehicle_id) AS vehicles, MAX(e.lanes_closed) AS lanes_closed,
       BOOL_OR(e.status = 'cleared') AS is_cleared
FROM {schema}.emergency e
WHERE e.incident_id IN (SELECT incident_id FROM {schema}.emergency WHERE TRUNC(ts) IN ({days}))
GROUP BY e.incident_id;
MERGE INTO {schema}.fact_incident USING new_incident ON fact_incident.incident_id = new_incident.incident_id
WHEN MATCHED THEN UPDATE SET road = new_incident.road, kind = new_incident.kind, severity = new_incident.severity,
  minute = new_incident.minute, first_report = new_incident.first_report, last_report = new_incident.last_report,
  reports = new_incident.reports, vehicles = new_incident.vehicles, lanes_closed = new_incident.lanes_closed,
  is_cleared = new_incident.is_cleared
WHEN NOT MATCHED THEN INSERT (incident_id, road, kind, severity, minute, first_report, last_report, reports, vehicles,
  lanes_closed, is_cleared)
VALUES (new_incident.incident_id, new_incident.road, new_incident.kind, new_incident.severity, new_incident.minute,
  new_incident.first_report, new_incident.last_report, new_incident.reports, new_incident.vehicles,
  new_incident.lanes_closed, new_incident.is_cleared)
