"""Spectrum: tables of the Glue catalog, read from S3 with the role of the external schema.

https://docs.aws.amazon.com/redshift/latest/dg/c-using-spectrum.html
"""

from __future__ import annotations

from typing import Any

from smartcity.localaws.redshift.faults import SqlError, no_relation, not_supported
from smartcity.localaws.redshift.files import Files, Object, split_uri
from smartcity.localaws.redshift.types import RsType, parse_type

_GLUE = {"string": "varchar(65535)", "tinyint": "smallint", "double": "double precision", "binary": "varbyte"}


def glue_type(written: str) -> RsType:
    """The Redshift type of a Glue column; nested types are not supported."""
    text = written.strip().lower()
    if text.startswith(("array", "struct", "map")):
        raise not_supported(f"external column type {text}")
    return parse_type(_GLUE.get(text, text))


def open_table(files: Files, database: str, name: str) -> tuple[Any, dict[str, RsType]]:
    """A pyarrow data set of the table's files, and its columns; raises `SqlError`."""
    from botocore.exceptions import ClientError

    glue = files.catalog()
    try:
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
        parts = _partitions(glue, database, name, table)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "EntityNotFoundException":
            raise no_relation(name) from None
        raise SqlError(f"{code}: {error.response['Error']['Message']}") from None
    described = table["StorageDescriptor"]
    if "parquet" not in str(described.get("InputFormat", "")).lower():
        raise not_supported("an external table that is not Parquet")
    columns = {column["Name"].lower(): glue_type(column["Type"]) for column in described["Columns"]}
    keys = {key["Name"].lower(): glue_type(key["Type"]) for key in table.get("PartitionKeys", ())}
    found = [(item, values) for location, values in parts for item in files.listed(_folder(location)) if _is_data(item)]
    return _dataset(files, found, columns, keys), columns | keys


def _folder(location: str) -> str:
    bucket, key = split_uri(location)
    return f"s3://{bucket}/{key.rstrip('/')}/" if key else location


def _is_data(item: Object) -> bool:
    hidden = item.key.rsplit("/", 1)[-1].startswith(("_", "."))
    return bool(item.size) and not hidden


def _partitions(glue: Any, database: str, name: str, table: dict[str, Any]) -> list[tuple[str, list[str]]]:
    if not table.get("PartitionKeys"):
        return [(table["StorageDescriptor"]["Location"], [])]
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
    return [(part["StorageDescriptor"]["Location"], part["Values"]) for page in pages for part in page["Partitions"]]


_ARROW = {
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "real": "float32",
    "double precision": "float64",
    "boolean": "bool_",
    "date": "date32",
    "binary varying": "binary",
}


def _arrow(type_: RsType) -> Any:
    import pyarrow as pa

    if type_.name == "numeric":
        return pa.decimal128(type_.size or 18, type_.scale or 0)
    if type_.name.startswith("timestamp"):
        return pa.timestamp("us")
    return pa.string() if type_.is_text else getattr(pa, _ARROW[type_.name])()


def _dataset(
    files: Files, found: list[tuple[Object, list[str]]], columns: dict[str, RsType], keys: dict[str, RsType]
) -> Any:
    import pyarrow as pa
    import pyarrow.dataset as ds

    schema = pa.schema([(name, _arrow(type_)) for name, type_ in (columns | keys).items()])
    if not found:
        return schema.empty_table()
    expressions = []
    for _, values in found:
        expression = ds.scalar(True)
        for (name, type_), value in zip(keys.items(), values, strict=True):
            typed = pa.scalar(value).cast(_arrow(type_))
            expression = expression & (ds.field(name) == typed)
        expressions.append(expression)
    return ds.FileSystemDataset.from_paths(
        [f"{item.bucket}/{item.key}" for item, _ in found],
        schema=schema,
        format=ds.ParquetFileFormat(),
        filesystem=files.filesystem(),
        partitions=expressions,
    )
