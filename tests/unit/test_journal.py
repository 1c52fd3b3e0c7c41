from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from smartcity.errors import ExitCode, ServiceError
from smartcity.journal import Journal, Journey

TRIP = Journey("london-birmingham", 7, datetime(2026, 3, 1, 7, tzinfo=UTC))


def test_a_broken_journey_is_found_again_and_a_finished_one_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journeys")
    with journal.exclusive():
        assert journal.unfinished() is None
        journal.save(TRIP)
        assert Journal(tmp_path / "journeys").unfinished() == TRIP
        driven = journal.mark(TRIP)
        assert journal.unfinished() == driven
        assert driven.driven
        journal.mark(driven, finished=True)
        assert journal.unfinished() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"route": "x"}', '{"route":"x","seed":1,"start":"soon"}'])
def test_a_damaged_file_starts_a_new_journey(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_text(text)
    assert Journal(tmp_path).unfinished() is None


def test_a_second_run_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    first, second = Journal(tmp_path).exclusive(), Journal(tmp_path).exclusive()
    with first, pytest.raises(ServiceError, match=r"process \d+") as caught, second:
        pass
    assert caught.value.exit_code == ExitCode.SERVICE
    with Journal(tmp_path).exclusive():
        pass
