-- Camera events without a picture
SELECT dt, camera_id, count(*) AS events, count_if(frame_uri IS NULL) AS without_picture
FROM camera
GROUP BY dt, camera_id
ORDER BY without_picture DESC, dt, camera_id
LIMIT 50
