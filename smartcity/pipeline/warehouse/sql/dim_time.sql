-- Every minute in which something was measured or reported.
CREATE TEMP TABLE new_time AS
SELECT minute FROM (
  SELECT DATE_TRUNC('minute', ts) AS minute FROM {schema}.vehicle WHERE TRUNC(ts) IN ({days})
  UNION
  SELECT DATE_TRUNC('minute', ts) AS minute FROM {schema}.emergency WHERE TRUNC(ts) IN ({days})
) AS minutes;
INSERT INTO {schema}.dim_time (minute, dt, hour, minute_of_day, weekday, is_weekend)
SELECT n.minute, TRUNC(n.minute), EXTRACT(hour FROM n.minute),
       EXTRACT(hour FROM n.minute) * 60 + EXTRACT(minute FROM n.minute), EXTRACT(dow FROM n.minute),
       EXTRACT(dow FROM n.minute) IN (0, 6)
FROM new_time n LEFT JOIN {schema}.dim_time t ON t.minute = n.minute WHERE t.minute IS NULL
