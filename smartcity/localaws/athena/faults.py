"""Errors of Athena's calls, and the small rules that several calls share."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import AwsError

MAX_PAGE = 50  #: MaxResults of most list calls, by default and at most


def invalid(message: str, code: str = "INVALID_INPUT") -> AwsError:
    """A request that cannot be carried out as it is."""
    return AwsError("InvalidRequestException", message, AthenaErrorCode=code)


def not_found(message: str, name: str = "") -> AwsError:
    """Something that prepared-statement and tag calls name does not exist."""
    return AwsError("ResourceNotFoundException", message, ResourceName=name)


def moment(seconds: float | None) -> datetime | None:
    """A stored time as the API returns it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def token_of(place: Any) -> str:
    """A place in a list as an opaque token."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def place_of(token: str | None) -> Any:
    """The place that a token stands for, or None at the beginning."""
    if token is None:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, UnicodeError, ValueError):
        raise invalid("The pagination token is not valid.") from None


def page(items: list[Any], params: dict[str, Any], default: int = MAX_PAGE) -> tuple[list[Any], str | None]:
    """The asked page of a list and the token of the next one."""
    begin = place_of(params.get("NextToken")) or 0
    if not isinstance(begin, int) or begin < 0:
        raise invalid("The pagination token is not valid.")
    end = begin + int(params.get("MaxResults") or default)
    return items[begin:end], token_of(end) if end < len(items) else None


def listing(name: str, items: list[Any], token: str | None) -> dict[str, Any]:
    """An answer with a list and, if there is more, a token."""
    return {name: items, **({"NextToken": token} if token else {})}
