-- Keys are for the planner: Redshift does not enforce them, checks.sql does.
CREATE TABLE IF NOT EXISTS {schema}.dim_time (
  minute TIMESTAMP NOT NULL, dt DATE NOT NULL, hour INTEGER NOT NULL, minute_of_day INTEGER NOT NULL,
  weekday INTEGER NOT NULL, is_weekend BOOLEAN NOT NULL, PRIMARY KEY (minute)
) DISTSTYLE ALL SORTKEY (minute);
CREATE TABLE IF NOT EXISTS {schema}.dim_vehicle (
  vehicle_id VARCHAR(1024) NOT NULL, make VARCHAR(1024), model VARCHAR(1024), year INTEGER, fuel_type VARCHAR(1024),
  first_seen TIMESTAMP, last_seen TIMESTAMP, PRIMARY KEY (vehicle_id)
) DISTSTYLE KEY DISTKEY (vehicle_id);
CREATE TABLE IF NOT EXISTS {schema}.dim_road (
  road VARCHAR(1024) NOT NULL, top_limit_kmh DOUBLE PRECISION, first_seen TIMESTAMP, PRIMARY KEY (road)
) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS {schema}.dim_weather (
  weather_key VARCHAR(1100) NOT NULL, condition VARCHAR(1024), wetness VARCHAR(8), PRIMARY KEY (weather_key)
) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS {schema}.fact_drive_minute (
  trip_id VARCHAR(1024) NOT NULL, vehicle_id VARCHAR(1024) NOT NULL, minute TIMESTAMP NOT NULL,
  road VARCHAR(1024) NOT NULL, weather_key VARCHAR(1100), samples BIGINT NOT NULL, mean_speed_kmh DOUBLE PRECISION,
  top_speed_kmh DOUBLE PRECISION, limit_kmh DOUBLE PRECISION, over_limit BIGINT NOT NULL,
  distance_km DOUBLE PRECISION, fuel_pct DOUBLE PRECISION,
  PRIMARY KEY (trip_id, vehicle_id, minute, road)
) DISTSTYLE KEY DISTKEY (vehicle_id) SORTKEY (minute);
CREATE TABLE IF NOT EXISTS {schema}.fact_incident (
  incident_id VARCHAR(1024) NOT NULL, road VARCHAR(1024) NOT NULL, kind VARCHAR(1024), severity VARCHAR(1024),
  minute TIMESTAMP NOT NULL, first_report TIMESTAMP NOT NULL, last_report TIMESTAMP NOT NULL, reports BIGINT NOT NULL,
  vehicles BIGINT NOT NULL, lanes_closed INTEGER, is_cleared BOOLEAN NOT NULL, PRIMARY KEY (incident_id)
) DISTSTYLE ALL SORTKEY (minute)
