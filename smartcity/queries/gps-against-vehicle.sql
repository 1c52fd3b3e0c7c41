-- Does the receiver agree with the car? Metres and km/h between both at the same second
SELECT count(*) AS pairs,
       round(avg(111320 * sqrt(power(g.latitude - v.latitude, 2)
             + power((g.longitude - v.longitude) * cos(radians(v.latitude)), 2))), 1) AS mean_metres,
       round(avg(abs(g.speed_kmh - v.speed_kmh)), 2) AS mean_kmh
FROM gps g
JOIN vehicle v ON v.trip_id = g.trip_id AND v.dt = g.dt AND date_trunc('second', v.ts) = date_trunc('second', g.ts)
