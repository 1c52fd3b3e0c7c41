from __future__ import annotations

import urllib.request
from dataclasses import asdict

import pytest

from smartcity.cli.stream import line
from smartcity.errors import ServiceError, SettingsError
from smartcity.pipeline.freshness import ladder
from smartcity.pipeline.lake import describe_days
from smartcity.pipeline.metrics import Metrics, MetricsServer
from smartcity.pipeline.stream import BatchReport, lag, report, stream_config, trigger_ms
from smartcity.settings import load
from smartcity.spark_job.query import Progress
from tests.unit.spark_job.fakes import MemoryBucket
from tests.unit.spark_job.test_publish import T0_MS, run


@pytest.mark.parametrize(
    ("text", "ms"), [("500ms", 500), ("1s", 1000), (" 2m ", 120_000), ("0s", 0), ("1h", 3_600_000)]
)
def test_times_between_batches(text: str, ms: int) -> None:
    assert trigger_ms(text) == ms


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1.5s", "1 second", "１s"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not a time between batches"):
        trigger_ms(text)


def test_the_configuration_follows_the_settings() -> None:
    settings = load(spark={"master": "spark://host:7077", "duplicate_horizon_hours": 2}, aws={"bucket": "my-lake"})
    config = stream_config(settings, name="second", once=True)
    assert config.checkpoint == "s3a://my-lake/checkpoints/second"
    assert (config.trigger, config.parse_on, config.horizon_s) == (None, "executors", 7200)
    assert stream_config(load()).trigger == "1000 milliseconds"
    with pytest.raises(SettingsError, match="not a name"):
        stream_config(settings, name="../x")


def reported() -> BatchReport:
    bucket = MemoryBucket()
    first = run(bucket)[0]
    return report("main", Progress(0, first, 0.5, False), {"vehicle": {0: 7, 1: 2}, "gps": {0: 2}})


def test_a_batch_as_a_line_and_as_figures() -> None:
    batch = reported()
    assert batch.lag == {"vehicle": 5, "gps": 0}
    assert line(batch) == (
        "batch 0: 6 rows, 12 rows/s, 4 files, 1 quarantined, 1 duplicates, 1 late, lag vehicle 5 [0.50s]"
    )
    assert asdict(batch)["topics"]["gps"]["stored"] == 2
    assert lag({}, {"gps": {0: 3}}) == {"gps": 3}


def test_prometheus_reads_sums_on_the_loopback_only() -> None:
    metrics = Metrics("main")
    metrics.add(reported())
    metrics.add(reported())
    server = MetricsServer(metrics, 0)
    try:
        assert server.address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(server.address) as answer:  # noqa: S310  our own address
            page = answer.read().decode()
        with pytest.raises(ServiceError, match="cannot be used"):
            MetricsServer(metrics, int(server.address.split(":")[2].split("/")[0]))
    finally:
        server.close()
    lines = page.splitlines()
    assert 'smartcity_stream_events_total{stream="main",topic="vehicle",outcome="stored"} 4' in lines
    assert 'smartcity_stream_batches_total{stream="main"} 2' in lines
    assert 'smartcity_stream_lag_events{stream="main",topic="vehicle"} 5' in lines
    kinds = [text.split()[2] for text in lines if text.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))


def test_the_ladder_tells_ages_and_what_waits() -> None:
    bucket = MemoryBucket()
    run(bucket)
    ends = {"gps": {0: 5}, "weather": {0: 0}}
    gps, weather = ladder(bucket, ends, {"gps": T0_MS + 4000}, now_s=T0_MS / 1000 + 10)
    assert (gps.broker_s, gps.batch_s, gps.waiting, gps.newest_day) == (6.0, 9.0, 3, "2026-03-01")
    assert (weather.broker_s, weather.newest_day, weather.in_catalog) == (None, None, None)
    empty = ladder(MemoryBucket(), ends, {})
    assert [rung.batch_s for rung in empty] == [None, None]


def test_days_of_the_lake_are_listed() -> None:
    bucket = MemoryBucket()
    run(bucket)
    assert [(day.table, day.dt, day.files) for day in describe_days(bucket)] == [
        ("gps", "2026-03-01", 1),
        ("vehicle", "2026-03-01", 2),
        ("vehicle", "2026-03-02", 1),
    ]
