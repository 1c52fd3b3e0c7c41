from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smartcity.cli.times import duration_s, moment
from smartcity.errors import UsageError


@pytest.mark.parametrize("text", ["2026-03-01T07:00Z", "2026-03-01 07:00", "2026-03-01T08:00+01:00"])
def test_a_moment_is_utc_unless_it_says_otherwise(text: str) -> None:
    assert moment(text) == datetime(2026, 3, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "07:00"])
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        moment(text)


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("1d", 86400)])
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "-3s", "3 weeks"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        duration_s(text)
