"""`smartcity simulate`: cars drive, events flow to Kafka, to a file or to the terminal."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from smartcity.cli.context import Context, of
from smartcity.cli.times import duration_s, moment
from smartcity.errors import Interrupted, PrerequisiteError, UsageError

if TYPE_CHECKING:
    from smartcity.delivery import Sent
    from smartcity.simulation.footage import FrameTaker
    from smartcity.simulation.pacing import Lateness, Pace, Source

#: As fast as possible, a trip is driven that has arrived by now.
DEPARTED_AGO = timedelta(hours=3)


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


@dataclass(frozen=True)
class _Asked:
    """What the options of the command say."""

    route: str
    seed: int
    start: str | None
    vehicles: int
    depart_every: str
    drivers: int
    duration: str | None
    replay: Path | None


def simulate(  # noqa: PLR0917  options of a command
    context: typer.Context,
    route: Annotated[str, typer.Option(help="A route of the package, or a GPX or CSV file.")] = "london-birmingham",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same events.")] = 1,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="Departure of the first car.")] = None,
    vehicles: Annotated[int, typer.Option(help="How many cars.")] = 1,
    depart_every: Annotated[str, typer.Option(metavar="TIME", help="Time between departures.")] = "30s",
    drivers: Annotated[int, typer.Option(help="How many kinds of drivers, 1 to 4.")] = 4,
    speed: Annotated[str, typer.Option(help="1 keeps the clock's time, 60 is a minute a second, or max.")] = "max",
    rate: Annotated[float | None, typer.Option(help="Events per second at most.")] = None,
    duration: Annotated[str | None, typer.Option(metavar="TIME", help="End after this much simulated time.")] = None,
    frames: Annotated[str, typer.Option(help="Camera pictures into S3: none, all or every:10s.")] = "none",
    to: Annotated[str, typer.Option(help="kafka, jsonl:FILE, or - for the terminal.")] = "kafka",
    replay: Annotated[Path | None, typer.Option(help="Drive a recorded GPX or CSV track again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Drive cars and send what their sensors report.

    Example: smartcity simulate --vehicles 20 --speed 60
    """
    from smartcity.simulation.pacing import Lateness

    ours = of(context)
    ours.console.json_errors = as_json
    stop, late = threading.Event(), Lateness()
    pace = _pace(speed, rate, stop)
    taker = _taker(ours, frames)
    source = _source(_Asked(route, seed, start, vehicles, depart_every, drivers, duration, replay), pace, taker)
    if to == "kafka":
        _show(ours, _to_kafka(ours, source, pace, late, stop), late, as_json)
    else:
        counts = _to_lines(to, source, pace, late)
        ours.console.say(_said(counts, late))


def _pace(speed: str, rate: float | None, stop: threading.Event) -> Pace:
    from smartcity.simulation.pacing import Pace

    if speed == "max":
        return Pace(rate=rate, sleep=stop.wait)
    try:
        return Pace(speed=float(speed), rate=rate, sleep=stop.wait)
    except ValueError:
        raise UsageError(f"{speed!r} is not a speed.", "Use --speed 1, 60 or max.") from None


def _taker(ours: Context, frames: str) -> FrameTaker | None:
    """Takes pictures as asked for, into the bucket."""
    from smartcity.pipeline.frames import S3Frames
    from smartcity.pipeline.lake import ensure_bucket
    from smartcity.simulation.footage import FrameTaker

    if frames == "none":
        return None
    every = None if frames == "all" else duration_s(frames.removeprefix("every:"))
    aws = ours.settings.aws
    taker = FrameTaker(S3Frames(ours.clients.aws("s3"), aws.bucket), None if every is None else int(every))
    ensure_bucket(ours.clients.aws("s3"), aws.bucket, aws.region)
    return taker


def _source(asked: _Asked, pace: Pace, taker: FrameTaker | None) -> Source:
    """The fleet or the replay that the options describe."""
    from smartcity.simulation.fleet import Fleet, Plan
    from smartcity.simulation.replay import Replay, load
    from smartcity.simulation.routes import checked_start, find

    if asked.replay is not None:
        return Replay(load(asked.replay), asked.seed, taker, pace.window_s)
    now = datetime.now(UTC).replace(microsecond=0)
    usual = now if pace.speed == 1 else (now - DEPARTED_AGO).replace(second=0)
    plan = Plan(
        route=find(asked.route),
        seed=asked.seed,
        start_s=checked_start(moment(asked.start) if asked.start else usual),
        vehicles=asked.vehicles,
        depart_every_s=int(duration_s(asked.depart_every)),
        styles=asked.drivers,
        duration_s=None if asked.duration is None else int(duration_s(asked.duration)),
    )
    return Fleet(plan, taker, pace.window_s)


def _to_kafka(ours: Context, source: Source, pace: Pace, late: Lateness, stop: threading.Event) -> Sent:
    from smartcity.ledger import LedgerWriter
    from smartcity.pipeline import broker

    kafka = ours.settings.kafka
    for topic in broker.ensure_topics(ours.clients.kafka_admin, kafka):
        for difference in topic.differences:
            ours.console.say(f"Topic {topic.name} has {difference}; it is left as it is.")
    with LedgerWriter.new(ours.settings.folder.ledger) as ledger, ours.console.activity("Driving") as now:
        return broker.send(
            ours.clients.producer(**broker.PRODUCER),
            pace.keep(source, late),
            ledger,
            timeout_s=kafka.delivery_timeout_s,
            progress=lambda events: now(f"Driving: {events:,} events acknowledged"),
            stop=stop,
        )


def _to_lines(to: str, source: Source, pace: Pace, late: Lateness) -> dict[str, int]:
    from smartcity.simulation import lines

    counts: dict[str, int] = {}
    with _opened(to) as out:
        try:
            lines.write(pace.keep(source, late), out, counts)
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            raise Interrupted(f"Interrupted: {sum(counts.values()):,} events were written.") from None
    return counts


def _opened(to: str) -> Any:
    """The file or terminal that `--to` names."""
    if to == "-":
        terminal: BinaryIO = sys.stdout.buffer
        return nullcontext(terminal)
    kind, _, name = to.partition(":")
    if kind != "jsonl" or not name:
        raise UsageError(f"Events cannot be sent to {to!r}.", "Use --to kafka, --to jsonl:FILE or --to -.")
    try:
        return Path(name).open("wb")
    except OSError as error:
        raise PrerequisiteError(f"{name} cannot be written: {error.strerror}.", "Choose another file.") from None


def _show(ours: Context, sent: Sent, late: Lateness, as_json: bool) -> None:
    if as_json:
        ours.console.json(
            {
                "trips": sorted(sent.trips),
                "produced": sent.acknowledged,
                "events": sent.events,
                "first": _iso(sent.first_ms),
                "last": _iso(sent.last_ms),
                "seconds": round(sent.seconds, 3),
                "late": late.events,
            }
        )
        return
    ours.console.rows(("topic", "events"), sorted(sent.acknowledged.items()))
    each = sent.events / max(sent.seconds, 1e-9)
    ours.console.say(f"{len(sent.trips)} trips in {sent.seconds:.1f} s, {each:,.0f} events/s, all acknowledged")
    if late.events:
        ours.console.say(_said({}, late))


def _said(counts: dict[str, int], late: Lateness) -> str:
    said = [f"{sum(counts.values()):,} events"] if counts else []
    if late.events:
        said.append(f"{late.events:,} events came late, the worst by {late.worst_s:.1f} s")
    return "; ".join(said) or "no events"


def _iso(epoch_ms: int | None) -> str | None:
    if epoch_ms is None:
        return None
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
