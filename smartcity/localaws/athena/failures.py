"""How a query fails: the sentence, the category and the type that Athena reports.

Categories and types are those of the Athena error catalog in the user guide: category 1 is the system, 2 the user,
3 anything else; of the types, those are used whose meaning is documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SYSTEM, USER, OTHER = 1, 2, 3

#: Type numbers of the error catalog.
QUERY_TIMEOUT = 206
ENGINE_ERROR = 200
METASTORE_ERROR = 204
RESULT_WRITE_ERROR = 401
GENERIC_USER_ERROR = 1000
DATA_ERROR = 1001
DDL_FAILED = 1003
EXHAUSTED = 0

_TYPES = {
    "SYNTAX_ERROR": GENERIC_USER_ERROR,
    "EXCEEDED_TIME_LIMIT": QUERY_TIMEOUT,
    "HIVE_METASTORE_ERROR": METASTORE_ERROR,
    "HIVE_BAD_DATA": DATA_ERROR,
    "HIVE_CURSOR_ERROR": DATA_ERROR,
    "HIVE_PARTITION_SCHEMA_MISMATCH": DATA_ERROR,
}


@dataclass
class QueryFailed(Exception):
    """A query that ends as FAILED. `reason` becomes `StateChangeReason`."""

    reason: str
    category: int = USER
    type: int = GENERIC_USER_ERROR
    retryable: bool = False

    def __post_init__(self) -> None:
        super().__init__(self.reason)

    @property
    def athena_error(self) -> dict[str, Any]:
        """The `AthenaError` structure."""
        return {
            "ErrorCategory": self.category,
            "ErrorType": self.type,
            "Retryable": self.retryable,
            "ErrorMessage": self.reason,
        }


class QueryCancelled(Exception):
    """A query that ends as CANCELLED: somebody stopped it, or it scanned more than its workgroup allows."""


def denied(message: str) -> QueryFailed:
    """The failure of a query whose caller lacks a permission; `message` is IAM's own sentence."""
    return QueryFailed(f"Insufficient permissions to execute the query. {message}", USER, GENERIC_USER_ERROR)


def not_allowed(what: str) -> QueryFailed:
    """A statement that the engine knows and Athena refuses."""
    return QueryFailed(f"NOT_SUPPORTED: {what}", USER, GENERIC_USER_ERROR)


def ddl_failed(message: str) -> QueryFailed:
    """A failed statement of Athena's own, in the words of its Hive side."""
    return QueryFailed(f"FAILED: {message}", USER, GENERIC_USER_ERROR)


def from_engine(name: str, type_: str, message: str) -> QueryFailed:
    """A failure that Trino reported: name such as COLUMN_NOT_FOUND, type such as USER_ERROR.

    Trino's types are USER_ERROR, INTERNAL_ERROR, INSUFFICIENT_RESOURCES and EXTERNAL.
    """
    reason = f"{name}: {message}"
    if type_ == "USER_ERROR":
        return QueryFailed(reason, USER, _TYPES.get(name, GENERIC_USER_ERROR))
    if type_ == "INSUFFICIENT_RESOURCES":
        return QueryFailed(reason, USER, _TYPES.get(name, EXHAUSTED), retryable=True)
    if type_ == "EXTERNAL":
        return QueryFailed(reason, USER, _TYPES.get(name, GENERIC_USER_ERROR))
    return QueryFailed(reason, SYSTEM, _TYPES.get(name, ENGINE_ERROR), retryable=True)
