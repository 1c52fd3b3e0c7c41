-- The last make, model, year and fuel that a vehicle reported.
CREATE TEMP TABLE new_vehicle AS
SELECT vehicle_id, MAX(make) AS make, MAX(model) AS model, MAX(year) AS year, MAX(fuel_type) AS fuel_type,
       MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM {schema}.vehicle WHERE TRUNC(ts) IN ({days}) GROUP BY vehicle_id;
MERGE INTO {schema}.dim_vehicle USING new_vehicle ON dim_vehicle.vehicle_id = new_vehicle.vehicle_id
WHEN MATCHED THEN UPDATE SET make = new_vehicle.make, model = new_vehicle.model, year = new_vehicle.year,
  fuel_type = new_vehicle.fuel_type, first_seen = LEAST(dim_vehicle.first_seen, new_vehicle.first_seen),
  last_seen = GREATEST(dim_vehicle.last_seen, new_vehicle.last_seen)
WHEN NOT MATCHED THEN INSERT (vehicle_id, make, model, year, fuel_type, first_seen, last_seen)
VALUES (new_vehicle.vehicle_id, new_vehicle.make, new_vehicle.model, new_vehicle.year, new_vehicle.fuel_type,
  new_vehicle.first_seen, new_vehicle.last_seen)
