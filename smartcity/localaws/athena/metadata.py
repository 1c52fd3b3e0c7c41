"""`<id>.csv.metadata`: the columns of a result in Athena's binary form, so that drivers can read results from S3.

The file is one protocol-buffers message. What Athena writes is not documented; these are the fields that open drivers
read, and all that is written here:

    1  text      id of the query in the engine
    4  message   one per column:
        1 catalog  2 schema  3 table  4 name  5 label  6 type  (texts)
        7 precision  8 scale  9 nullable (1 NOT_NULL, 2 NULLABLE, 3 UNKNOWN)  10 case sensitive (0, 1)  (varints)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smartcity.localaws.athena.values import Column

_TEXT, _NUMBER = 2, 0
_NULLABLE = {"NOT_NULL": 1, "NULLABLE": 2, "UNKNOWN": 3}
_TEXT_FIELDS = ("CatalogName", "SchemaName", "TableName", "Name", "Label", "Type")


def encode(engine_query_id: str, columns: Sequence[Column]) -> bytes:
    """The content of the metadata file."""
    parts = [_text(1, engine_query_id.encode())]
    parts += [_text(4, _column(column.info)) for column in columns]
    return b"".join(parts)


def _column(info: dict[str, Any]) -> bytes:
    texts = [_text(number, info[name].encode()) for number, name in enumerate(_TEXT_FIELDS, start=1)]
    numbers = (info["Precision"], info["Scale"], _NULLABLE[info["Nullable"]], int(info["CaseSensitive"]))
    return b"".join(texts) + b"".join(_number(number, value) for number, value in enumerate(numbers, start=7))


def _text(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _TEXT) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _NUMBER) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
