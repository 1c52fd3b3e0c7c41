from __future__ import annotations

import uuid

from smartcity.events import LAKE_COLUMNS, TOPICS, event_id


def test_five_topics_share_six_columns() -> None:
    assert list(TOPICS) == ["vehicle", "gps", "camera", "weather", "emergency"]
    for topic in TOPICS.values():
        assert [column.name for column in topic.columns[:6]] == [
            "event_id",
            "trip_id",
            "vehicle_id",
            "ts",
            "latitude",
            "longitude",
        ]
        names = [column.name for column in (*topic.columns, *LAKE_COLUMNS)]
        assert len(names) == len(set(names))


def test_an_event_id_is_a_function_of_trip_topic_and_sequence() -> None:
    first = event_id("trip", "gps", 0)
    assert first == event_id("trip", "gps", 0)
    assert uuid.UUID(first).version == 5
    assert len({first, event_id("trip", "gps", 1), event_id("trip", "vehicle", 0), event_id("other", "gps", 0)}) == 4
