"""Times and durations as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from smartcity.errors import UsageError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def moment(text: str) -> datetime:
    """A moment in ISO 8601, such as 2026-03-01T07:00Z; without an offset it is UTC. Raises `UsageError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time.", "Write it as in ISO 8601: 2026-03-01T07:00Z") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def duration_s(text: str) -> float:
    """Seconds of a duration such as 500ms, 30s, 10m, 2h or 1d. Raises `UsageError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", text.strip())
    if not match:
        raise UsageError(f"{text!r} is not a duration.", "Write a number and a unit: 500ms, 30s, 10m, 2h or 1d.")
    return float(match[1]) * _UNITS_S[match[2]]
