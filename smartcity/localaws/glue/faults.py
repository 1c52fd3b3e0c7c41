"""Glue's errors with the sentences that AWS answers, so that clients which match on them work here as well."""

from __future__ import annotations

from typing import Any

from smartcity.localaws.api import AwsError


def database_not_found(name: str) -> AwsError:
    """No database of that name."""
    return AwsError("EntityNotFoundException", f"Database {name} not found.")


def table_not_found(name: str) -> AwsError:
    """No table of that name in the database."""
    return AwsError("EntityNotFoundException", f"Table {name} not found.")


def not_found(message: str) -> AwsError:
    """Anything else that does not exist."""
    return AwsError("EntityNotFoundException", message)


def already_exists(message: str) -> AwsError:
    """The name is taken."""
    return AwsError("AlreadyExistsException", message)


def invalid(message: str) -> AwsError:
    """The request is well-formed, but its values make no sense."""
    return AwsError("InvalidInputException", message)


def changed_meanwhile(message: str) -> AwsError:
    """The optimistic lock failed: someone else was first."""
    return AwsError("ConcurrentModificationException", message)


def detail(error: AwsError) -> dict[str, Any]:
    """The `ErrorDetail` of one item of a batch."""
    return {"ErrorCode": error.code, "ErrorMessage": error.message}
