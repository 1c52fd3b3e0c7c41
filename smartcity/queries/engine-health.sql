-- Engines to look at: hottest coolant and highest revolutions per vehicle
SELECT vehicle_id, min(make) AS make, min(model) AS model,
       round(max(coolant_c), 1) AS hottest_c,
       max(engine_rpm) AS highest_rpm
FROM vehicle
GROUP BY vehicle_id
ORDER BY hottest_c DESC, vehicle_id
