-- Roads that were driven on or had an incident.
CREATE TEMP TABLE new_road AS
SELECT road, MAX(limit_kmh) AS top_limit_kmh, MIN(ts) AS first_seen FROM (
  SELECT road, limit_kmh, ts FROM {schema}.vehicle WHERE TRUNC(ts) IN ({days})
  UNION ALL
  SELECT road, CAST(NULL AS DOUBLE PRECISION) AS limit_kmh, ts FROM {schema}.emergency WHERE TRUNC(ts) IN ({days})
) AS seen GROUP BY road;
MERGE INTO {schema}.dim_road USING new_road ON dim_road.road = new_road.road
WHEN MATCHED THEN UPDATE SET top_limit_kmh = GREATEST(dim_road.top_limit_kmh, new_road.top_limit_kmh),
  first_seen = LEAST(dim_road.first_seen, new_road.first_seen)
WHEN NOT MATCHED THEN INSERT (road, top_limit_kmh, first_seen)
VALUES (new_road.road, new_road.top_limit_kmh, new_road.first_seen)
