"""Row formats and file formats of CREATE EXTERNAL TABLE: classes of Hive that Glue stores and the engine knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.athena.cursor import Cursor

_HIVE = "org.apache.hadoop.hive.ql.io."
_SERDE = "org.apache.hadoop.hive.serde2."
_TEXT_OUT = _HIVE + "HiveIgnoreKeyTextOutputFormat"
_TEXT_IN = "org.apache.hadoop.mapred.TextInputFormat"
LAZY_SERDE = _SERDE + "lazy.LazySimpleSerDe"

#: STORED AS name: input format, output format, serde
STORED_AS: dict[str, tuple[str, str, str]] = {
    "PARQUET": (
        _HIVE + "parquet.MapredParquetInputFormat",
        _HIVE + "parquet.MapredParquetOutputFormat",
        _HIVE + "parquet.serde.ParquetHiveSerDe",
    ),
    "ORC": (_HIVE + "orc.OrcInputFormat", _HIVE + "orc.OrcOutputFormat", _HIVE + "orc.OrcSerde"),
    "TEXTFILE": (_TEXT_IN, _TEXT_OUT, LAZY_SERDE),
    "JSON": (_TEXT_IN, _TEXT_OUT, "org.apache.hive.hcatalog.data.JsonSerDe"),
    "AVRO": (
        _HIVE + "avro.AvroContainerInputFormat",
        _HIVE + "avro.AvroContainerOutputFormat",
        _SERDE + "avro.AvroSerDe",
    ),
    "SEQUENCEFILE": (
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        _HIVE + "HiveSequenceFileOutputFormat",
        LAZY_SERDE,
    ),
    "RCFILE": (
        _HIVE + "RCFileInputFormat",
        _HIVE + "RCFileOutputFormat",
        _SERDE + "columnar.LazyBinaryColumnarSerDe",
    ),
}

_DELIMITED = {
    ("FIELDS", "TERMINATED", "BY"): ("field.delim", "serialization.format"),
    ("ESCAPED", "BY"): ("escape.delim",),
    ("COLLECTION", "ITEMS", "TERMINATED", "BY"): ("collection.delim",),
    ("MAP", "KEYS", "TERMINATED", "BY"): ("mapkey.delim",),
    ("LINES", "TERMINATED", "BY"): ("line.delim",),
    ("NULL", "DEFINED", "AS"): ("serialization.null.format",),
}


@dataclass(frozen=True)
class Storage:
    """How a table's files are read."""

    serde: str = LAZY_SERDE
    input_format: str = _TEXT_IN
    output_format: str = _TEXT_OUT
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def descriptor(self) -> dict[str, Any]:
        """The part of Glue's StorageDescriptor that tells the format."""
        return {
            "InputFormat": self.input_format,
            "OutputFormat": self.output_format,
            "SerdeInfo": {"SerializationLibrary": self.serde, "Parameters": self.parameters},
        }


def storage_of(cursor: Cursor, properties: Callable[[Cursor], dict[str, str]]) -> Storage:
    """ROW FORMAT …, STORED AS …: both may be left out."""
    if cursor.sees("CLUSTERED", "BY"):
        raise cursor.mismatch("ROW FORMAT, STORED AS or LOCATION (buckets are not supported here)")
    serde: str | None = None
    parameters: dict[str, str] = {}
    if cursor.accept("ROW", "FORMAT", "SERDE"):
        serde = cursor.string()
    elif cursor.accept("ROW", "FORMAT", "DELIMITED"):
        parameters = _delimited(cursor)
    if cursor.accept("WITH", "SERDEPROPERTIES"):
        parameters |= properties(cursor)
    formats = _stored_as(cursor)
    known = formats or _formats_of_serde(serde)
    input_format, output_format, own_serde = known
    return Storage(serde or own_serde, input_format, output_format, parameters or {"serialization.format": "1"})


def _formats_of_serde(serde: str | None) -> tuple[str, str, str]:
    """A serde given alone brings its own file format."""
    return next((formats for formats in STORED_AS.values() if formats[2] == serde), STORED_AS["TEXTFILE"])


def _delimited(cursor: Cursor) -> dict[str, str]:
    parameters: dict[str, str] = {}
    while True:
        for words, names in _DELIMITED.items():
            if cursor.accept(*words):
                parameters |= dict.fromkeys(names, cursor.string())
                break
        else:
            return parameters


def _stored_as(cursor: Cursor) -> tuple[str, str, str] | None:
    if not cursor.accept("STORED", "AS"):
        return None
    if cursor.accept("INPUTFORMAT"):
        input_format = cursor.string()
        cursor.expect("OUTPUTFORMAT")
        return input_format, cursor.string(), LAZY_SERDE
    name = cursor.token.text.upper()
    if name not in STORED_AS:
        raise cursor.mismatch(", ".join(STORED_AS))
    cursor.at += 1
    return STORED_AS[name]
