"""UNLOAD: a query's rows as Parquet, CSV, JSON or delimited text in S3.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.redshift.faults import SqlError, not_supported
from smartcity.localaws.redshift.files import Files, Object, split_uri
from smartcity.localaws.redshift.grammar import Scanner


@dataclass
class UnloadPlan:
    """An UNLOAD as written; `format` is parquet, csv, json or text."""

    query: str
    uri: str
    role: str = ""
    format: str = "text"
    options: dict[str, Any] = field(default_factory=dict)
    partition: list[str] = field(default_factory=list)


def parse_unload(scanner: Scanner) -> UnloadPlan:
    """After UNLOAD."""
    scanner.expect("(")
    query = scanner.string()
    scanner.expect(")")
    scanner.expect("to")
    plan = UnloadPlan(query, scanner.string())
    split_uri(plan.uri)
    while not scanner.done:
        _option(scanner, plan)
    if not plan.role:
        raise SqlError("UNLOAD requires credentials: IAM_ROLE is missing")
    if plan.format == "parquet" and set(plan.options) & {"delimiter", "header", "gzip", "null", "addquotes"}:
        raise SqlError("DELIMITER, HEADER, GZIP, NULL and ADDQUOTES are not supported for UNLOAD to PARQUET")
    return plan


def _option(scanner: Scanner, plan: UnloadPlan) -> None:
    options = plan.options
    if scanner.match("iam_role"):
        plan.role = "default" if scanner.match("default") else scanner.string()
    elif scanner.match("format") or scanner.match("with") or scanner.match("as"):
        scanner.match("as")
    elif scanner.peek() in {"parquet", "csv", "json"}:
        plan.format = scanner.identifier()
    elif scanner.match("manifest"):
        options["manifest"] = True
        if scanner.match("verbose"):
            raise not_supported("MANIFEST VERBOSE")
    elif scanner.match("parallel"):
        word = scanner.identifier()
        options["parallel"] = word in {"on", "true"}
    elif scanner.match("partition", "by") or scanner.match("partition"):
        scanner.match("by")
        plan.partition = scanner.names()
        options["include"] = scanner.match("include")
    elif scanner.peek() in {"header", "gzip", "allowoverwrite", "cleanpath", "addquotes"}:
        options[scanner.identifier()] = True
    elif scanner.match("delimiter"):
        scanner.match("as")
        options["delimiter"] = scanner.string()
    elif scanner.match("null"):
        scanner.match("as")
        options["null"] = scanner.string()
    elif scanner.match("region"):
        scanner.match("as")
        scanner.string()
    else:
        raise not_supported(f"UNLOAD option {scanner.peek().upper()}")


def unload(plan: UnloadPlan, data: Any, files: Files) -> int:
    """Write the Arrow table; returns its rows."""
    bucket, prefix = split_uri(plan.uri)
    existing = files.listed(plan.uri)
    if existing and plan.options.get("cleanpath"):
        files.delete(existing)
    elif existing and not plan.options.get("allowoverwrite"):
        raise SqlError(
            "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, "
            "manually removing the target files in S3, or using the ALLOWOVERWRITE option."
        )
    written = []
    for folder, part in _parts(plan, data):
        key = f"{prefix}{folder}{_name(plan)}"
        files.write(bucket, key, _encoded(plan, part))
        written.append(Object(bucket, key))
    if plan.options.get("manifest"):
        body = json.dumps({"entries": [{"url": item.uri} for item in written]}).encode()
        files.write(bucket, f"{prefix}manifest", body)
    return int(data.num_rows)


def _name(plan: UnloadPlan) -> str:
    name = "0000_part_00" if plan.options.get("parallel", True) else "000"
    return name + (".parquet" if plan.format == "parquet" else ".gz" if plan.options.get("gzip") else "")


def _parts(plan: UnloadPlan, data: Any) -> Iterator[tuple[str, Any]]:
    """The rows of each partition; DuckDB's types say how a value is written into a key."""
    if not plan.partition:
        yield "", data
        return
    import pyarrow.compute as pc

    for name in plan.partition:
        if name not in data.column_names:
            raise SqlError(f'column "{name}" does not exist')
    kept = (
        data.column_names if plan.options.get("include") else [n for n in data.column_names if n not in plan.partition]
    )
    if not kept:
        raise SqlError("UNLOAD with PARTITION BY needs a column that is not a partition")
    for values in data.select(plan.partition).group_by(plan.partition).aggregate([]).to_pylist():
        mask = None
        for name, value in values.items():
            same = pc.is_null(data[name]) if value is None else pc.fill_null(pc.equal(data[name], value), False)
            mask = same if mask is None else pc.and_(mask, same)
        folder = "".join(
            f"{name}={'__HIVE_DEFAULT_PARTITION__' if value is None else value}/" for name, value in values.items()
        )
        yield folder, data.filter(mask).select(kept)


def _encoded(plan: UnloadPlan, data: Any) -> bytes:
    if plan.format == "parquet":
        import pyarrow.parquet as pq

        sink = io.BytesIO()
        pq.write_table(data, sink, compression="snappy")
        return sink.getvalue()
    body = _lines(plan, data).encode()
    return gzip.compress(body, mtime=0) if plan.options.get("gzip") else body


def _lines(plan: UnloadPlan, data: Any) -> str:
    import csv

    from smartcity.localaws.redshift.results import as_text

    rows = data.to_pylist()
    if plan.format == "json":
        return "".join(
            json.dumps(row, default=as_text, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows
        )
    out = io.StringIO()
    null = plan.options.get("null", "")
    delimiter = plan.options.get("delimiter", "," if plan.format == "csv" else "|")
    quoted = plan.format == "csv"
    if plan.options.get("addquotes"):
        raise not_supported("ADDQUOTES")
    if quoted:
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        if plan.options.get("header"):
            writer.writerow(data.column_names)
        writer.writerows([[null if value is None else as_text(value) for value in row.values()] for row in rows])
        return out.getvalue()
    lines = [data.column_names] if plan.options.get("header") else []
    lines += [[null if value is None else as_text(value) for value in row.values()] for row in rows]
    return "".join(delimiter.join(line) + "\n" for line in lines)
