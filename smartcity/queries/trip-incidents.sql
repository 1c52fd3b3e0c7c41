-- The incidents that a trip met, in the order in which it met them
-- :trip_id  the trip
SELECT incident_id,
       min(ts) AS first_seen,
       date_diff('second', min(ts), max(ts)) AS seconds,
       min_by(road, ts) AS road,
       min_by(kind, ts) AS kind,
       max_by(severity, ts) AS severity,
       max_by(status, ts) AS last_status,
       max(lanes_closed) AS lanes_closed,
       min_by(description, ts) AS description
FROM emergency
WHERE trip_id = :trip_id
GROUP BY incident_id
ORDER BY first_seen
