# ruff: noqa: S608  every text here is our own
"""System tables and views, as far as loads and clients ask for them.

https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_system-tables.html
"""

from __future__ import annotations

TABLES = (
    "CREATE TABLE IF NOT EXISTS rs_internal.views "
    "(schema_name VARCHAR, view_name VARCHAR, kind VARCHAR, sql VARCHAR, refs VARCHAR)",
    "CREATE TABLE IF NOT EXISTS rs_internal.external_schemas "
    "(schema_name VARCHAR, database_name VARCHAR, role VARCHAR)",
    "CREATE TABLE IF NOT EXISTS rs_internal.done (id VARCHAR, ended DOUBLE)",
    "CREATE TABLE IF NOT EXISTS rs_internal.load_errors (query_id VARCHAR, starttime TIMESTAMP, table_name VARCHAR, "
    "filename VARCHAR, line_number BIGINT, colname VARCHAR, type VARCHAR, col_length VARCHAR, raw_line VARCHAR, "
    "raw_field_value VARCHAR, err_code INTEGER, err_reason VARCHAR)",
)

_USER = "NOT internal AND database_name NOT IN ('system') AND schema_name <> 'rs_internal'"
_SCHEMA = "CASE WHEN database_name = 'temp' THEN 'pg_temp' ELSE schema_name END"
_TYPE = "coalesce(json_extract_string(comment, '$.type'), CASE data_type WHEN 'VARCHAR' THEN 'character varying(256)' "
_TYPE += "WHEN 'TIMESTAMP' THEN 'timestamp without time zone' WHEN 'TIMESTAMP WITH TIME ZONE' THEN "
_TYPE += "'timestamp with time zone' WHEN 'DOUBLE' THEN 'double precision' WHEN 'FLOAT' THEN 'real' "
_TYPE += "WHEN 'JSON' THEN 'super' ELSE replace(lower(data_type), 'decimal', 'numeric') END)"

VIEWS = {
    "svv_tables": f"""
        SELECT 'dev' AS table_catalog, {_SCHEMA} AS table_schema, table_name,
               CASE WHEN database_name = 'temp' THEN 'LOCAL TEMPORARY' ELSE 'BASE TABLE' END AS table_type,
               '' AS remarks
        FROM duckdb_tables() WHERE {_USER}
        UNION ALL
        SELECT 'dev', schema_name, view_name, 'VIEW', '' FROM rs_internal.views WHERE kind <> 'materialized'""",
    "svv_columns": f"""
        SELECT 'dev' AS table_catalog, {_SCHEMA} AS table_schema, table_name, column_name,
               CAST(column_index AS INTEGER) AS ordinal_position,
               CASE WHEN json_extract_string(comment, '$.identity') IS NULL
                    THEN json_extract_string(comment, '$.default') END AS column_default,
               CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
               regexp_replace({_TYPE}, '\\(.*', '') AS data_type,
               TRY_CAST(regexp_extract({_TYPE}, 'char[a-z ]*\\((\\d+)', 1) AS INTEGER) AS character_maximum_length,
               TRY_CAST(regexp_extract({_TYPE}, 'numeric\\((\\d+)', 1) AS INTEGER) AS numeric_precision,
               TRY_CAST(regexp_extract({_TYPE}, 'numeric\\(\\d+,(\\d+)', 1) AS INTEGER) AS numeric_scale,
               '' AS remarks
        FROM duckdb_columns() WHERE {_USER}""",
    "pg_table_def": f"""
        SELECT {_SCHEMA} AS schemaname, table_name AS tablename, column_name AS "column", {_TYPE} AS type,
               coalesce(json_extract_string(comment, '$.encode'), 'none') AS encoding, NOT is_nullable AS notnull
        FROM duckdb_columns() WHERE {_USER} AND schema_name IN ('public', 'main')""",
    "svv_table_info": f"""
        SELECT 'dev' AS database, {_SCHEMA} AS schema, CAST(table_oid AS INTEGER) AS table_id, table_name AS "table",
               coalesce('KEY(' || json_extract_string(comment, '$.distkeys[0]') || ')',
                        upper(json_extract_string(comment, '$.diststyle')), 'AUTO(ALL)') AS diststyle,
               coalesce(json_extract_string(comment, '$.sortkey[0]'), 'AUTO(SORTKEY)') AS sortkey1,
               CAST(estimated_size AS DECIMAL(38, 0)) AS tbl_rows
        FROM duckdb_tables() WHERE {_USER}""",
    "svv_external_schemas": """
        SELECT schema_name AS schemaname, database_name AS databasename, 1 AS eskind,
               '{"IAM_ROLE":"' || role || '"}' AS esoptions FROM rs_internal.external_schemas""",
    "svv_all_schemas": """
        SELECT 'dev' AS database_name, schema_name, 'local' AS schema_type FROM duckdb_schemas()
        WHERE NOT internal AND database_name NOT IN ('system', 'temp') AND schema_name NOT IN ('main', 'rs_internal')
        UNION ALL SELECT 'dev', schema_name, 'external' FROM rs_internal.external_schemas""",
    "svv_mv_info": """
        SELECT 'dev' AS database_name, schema_name, view_name AS name, 'f' AS is_stale, 1 AS state, 'f' AS autorefresh
        FROM rs_internal.views WHERE kind = 'materialized'""",
    "stl_load_errors": """
        SELECT query_id AS query, starttime, table_name, filename, line_number, colname, type, col_length, raw_line,
               raw_field_value, err_code, err_reason FROM rs_internal.load_errors""",
    "sys_load_error_detail": """
        SELECT query_id, starttime AS start_time, table_name, filename AS file_name, line_number,
               colname AS column_name, type AS column_type, col_length AS column_length, raw_line,
               raw_field_value AS error_field, err_code AS error_code, err_reason AS error_message
        FROM rs_internal.load_errors""",
}


def views() -> list[str]:
    """What defines the views; run on every start."""
    return [f"CREATE OR REPLACE VIEW rs_internal.{name} AS {sql}" for name, sql in VIEWS.items()]
