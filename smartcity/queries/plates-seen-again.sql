-- Plates seen by more than one camera: first and last sighting
SELECT plate,
       count(DISTINCT camera_id) AS cameras,
       min(ts) AS first_seen,
       max(ts) AS last_seen,
       min_by(camera_id, ts) AS first_camera,
       max_by(camera_id, ts) AS last_camera
FROM camera
WHERE plate IS NOT NULL
GROUP BY plate
HAVING count(DISTINCT camera_id) > 1
ORDER BY cameras DESC, plate
LIMIT 50
