"""DuckDB macros for Redshift functions that DuckDB has not, or has with other answers at the edges."""

from __future__ import annotations

SCHEMA = "rs_internal"

#: name(arguments) → expression. Each repairs one difference, told in the comment before it.
MACROS: list[str] = [
    # CHR, OCTET_LENGTH: bytes of UTF-8
    "rs_bytes(s) AS octet_length(encode(s))",
    # SUBSTRING: positions before 1 count as characters that are not there; DuckDB counts them from the end
    "rs_substring(s, b) AS substr(s, greatest(b, 1)), "
    "(s, b, n) AS CASE WHEN n < 0 THEN error('negative substring length not allowed') "
    "WHEN b + n <= 1 THEN '' ELSE substr(s, greatest(b, 1), b + n - greatest(b, 1)) END",
    # LEFT, RIGHT: DuckDB takes a negative length from the other end
    "rs_left(s, n) AS CASE WHEN n < 0 THEN error('negative length is not allowed') ELSE \"left\"(s, n) END",
    "rs_right(s, n) AS CASE WHEN n < 0 THEN error('negative length is not allowed') ELSE \"right\"(s, n) END",
    "rs_lpad(s, n) AS lpad(s, n, ' '), (s, n, p) AS lpad(s, n, p)",
    "rs_rpad(s, n) AS rpad(s, n, ' '), (s, n, p) AS rpad(s, n, p)",
    "rs_repeat(s, n) AS CASE WHEN n < 0 THEN '' ELSE repeat(s, n) END",
    # SPLIT_PART: part 0 and below is an error
    "rs_split_part(s, d, n) AS CASE WHEN n < 1 THEN error('field position must be greater than zero') "
    "ELSE split_part(s, d, n) END",
    "rs_ascii(s) AS CASE WHEN s = '' THEN 0 ELSE ascii(s) END",
    "rs_initcap(s) AS list_reduce(list_transform(string_split(lower(s), ''), lambda c: [c, c]), "
    "lambda a, b: [a[1] || CASE WHEN regexp_full_match(a[2], '[a-z0-9À-ɏ]') THEN b[1] ELSE upper(b[1]) END, b[2]], "
    "['', ' '])[1]",
    "rs_regexp_count(s, p) AS CAST(len(regexp_extract_all(s, p)) AS INTEGER)",
    "rs_regexp_instr(s, p) AS CAST(CASE WHEN regexp_matches(s, p) "
    "THEN strpos(s, regexp_extract(s, p)) ELSE 0 END AS INTEGER)",
    # TRUNC: towards zero at a number of places
    "rs_trunc(x, n) AS CASE WHEN n = 0 THEN trunc(x) ELSE trunc(x * power(10, n)) / power(10, n) END",
    # dates; GETDATE has seconds, SYSDATE microseconds, both in UTC and fixed for the transaction
    "rs_getdate() AS date_trunc('second', now() AT TIME ZONE 'UTC')",
    "rs_sysdate() AS now() AT TIME ZONE 'UTC'",
    # ADD_MONTHS: the last day of a month stays a last day
    "rs_add_months(d, n) AS CASE WHEN last_day(CAST(d AS TIMESTAMP)) = CAST(CAST(d AS TIMESTAMP) AS DATE) "
    "THEN last_day(CAST(d AS TIMESTAMP) + to_months(CAST(n AS INTEGER))) "
    "+ (CAST(d AS TIMESTAMP) - date_trunc('day', CAST(d AS TIMESTAMP))) "
    "ELSE CAST(d AS TIMESTAMP) + to_months(CAST(n AS INTEGER)) END",
    "rs_convert_timezone(f, t, x) AS timezone(t, timezone(f, CAST(x AS TIMESTAMP)))",
    # JSON
    "rs_json_parse(s) AS CASE WHEN s IS NULL OR json_valid(s) THEN CAST(s AS JSON) "
    "ELSE error('Invalid JSON format. Parsing error') END",
    "rs_json_text(j) AS CAST(j AS VARCHAR)",
    "rs_json_checked(s, lenient) AS CASE WHEN s IS NULL OR json_valid(s) THEN s WHEN lenient THEN NULL "
    "ELSE error('JSON parsing error') END",
    "rs_json_typeof(j) AS CASE json_type(j) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' "
    "WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' ELSE "
    "CASE WHEN j IS NULL THEN NULL ELSE 'number' END END",
    "rs_is_valid_json(s) AS json_valid(s) AND json_type(s) = 'OBJECT'",
    "rs_is_valid_json_array(s) AS json_valid(s) AND json_type(s) = 'ARRAY'",
    "rs_json_element(s, n) AS CASE WHEN NOT json_valid(s) OR json_type(s) <> 'ARRAY' "
    "THEN error('JSON parsing error') ELSE CASE WHEN n < 0 THEN '' ELSE json_extract_string(s, '/' || n) END END",
    "rs_json_array_length(s) AS CASE WHEN NOT json_valid(s) OR json_type(s) <> 'ARRAY' "
    "THEN error('JSON parsing error') ELSE json_array_length(s) END",
    "rs_array_length(j) AS CASE WHEN json_type(j) = 'ARRAY' THEN json_array_length(j) END",
    # SUPER values against scalars: of another kind they are not equal but unknown
    "rs_super_text(j) AS CASE WHEN json_type(j) = 'VARCHAR' THEN json_extract_string(j, '$') END",
    "rs_super_number(j) AS CASE WHEN json_type(j) IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT') "
    "THEN CAST(json_extract_string(j, '$') AS DOUBLE) END",
    "rs_super_bool(j) AS CASE WHEN json_type(j) = 'BOOLEAN' THEN CAST(json_extract_string(j, '$') AS BOOLEAN) END",
    # casts of SUPER: only a scalar of the right kind
    "rs_super_as_text(j) AS CASE WHEN j IS NULL OR json_type(j) = 'NULL' THEN NULL "
    "WHEN json_type(j) IN ('OBJECT', 'ARRAY') THEN error('SUPER value is not a scalar: it cannot be cast to varchar') "
    "ELSE json_extract_string(j, '$') END",
    "rs_super_as_number(j) AS CASE WHEN j IS NULL OR json_type(j) = 'NULL' THEN NULL "
    "WHEN json_type(j) IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT') THEN json_extract_string(j, '$') "
    "ELSE error('SUPER value is not a number') END",
    # storing text: too long is an error unless the excess is blanks
    "rs_store_varchar(s, n) AS CASE WHEN s IS NULL OR octet_length(encode(s)) <= n THEN s "
    "WHEN octet_length(encode(rtrim(s, ' '))) <= n "
    "THEN rtrim(s, ' ') || repeat(' ', n - octet_length(encode(rtrim(s, ' ')))) "
    "ELSE error('value too long for type character varying(' || n || ')') END",
    "rs_store_char(s, n) AS CASE WHEN s IS NULL THEN NULL WHEN octet_length(encode(rtrim(s, ' '))) > n "
    "THEN error('value too long for type character(' || n || ')') "
    "WHEN length(s) <> octet_length(encode(s)) THEN error('CHAR string contains invalid ASCII character') "
    "ELSE rtrim(s, ' ') END",
    # an explicit cast cuts silently, at a whole character
    "rs_cut(s, n) AS CASE WHEN octet_length(encode(s)) <= n THEN s ELSE "
    '"left"(s, CAST(list_max(list_filter(range(0, n + 1), '
    'lambda k: octet_length(encode("left"(s, CAST(k AS BIGINT)))) <= n)) AS BIGINT)) END',
    # text to a whole number: DuckDB rounds '1.5'
    "rs_text_integer(s) AS CASE WHEN s IS NULL OR regexp_full_match(s, '\\s*[+-]?[0-9]+\\s*') THEN trim(s) "
    "ELSE error('invalid input syntax for integer: \"' || s || '\"') END",
    "rs_any_integer(x) AS CASE WHEN typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), "
    "'\\s*[+-]?[0-9]+\\s*') THEN error('invalid input syntax for integer: \"' || x || '\"') ELSE x END",
    # floating point as text: 1 and not 1.0
    "rs_float_text(x) AS CASE WHEN contains(CAST(x AS VARCHAR), 'e') "
    "THEN error('casting a number with an exponent to text is not supported') "
    "ELSE regexp_replace(CAST(x AS VARCHAR), '\\.0$', '') END",
    # comparing values of unknown type: text without its trailing blanks
    "rs_key(x) AS CASE WHEN typeof(x) = 'VARCHAR' THEN rtrim(CAST(x AS VARCHAR), ' ') ELSE CAST(x AS VARCHAR) END",
    # a division whose operand types are unknown must not be one of decimals: their scale would be wrong
    "rs_div(a, b) AS CASE WHEN starts_with(typeof(a), 'DECIMAL') OR starts_with(typeof(b), 'DECIMAL') "
    "THEN error('numeric division with operands of unknown precision is not supported: cast them') ELSE a // b END",
    "rs_limit_listagg(s) AS CASE WHEN octet_length(encode(s)) > 65535 "
    "THEN error('Result size exceeds LISTAGG limit') ELSE s END",
]


def statements() -> list[str]:
    """What defines the macros; run on every start."""
    return [f"CREATE OR REPLACE MACRO {SCHEMA}.{macro}" for macro in MACROS]
