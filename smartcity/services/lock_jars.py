"""Resolve a group of the jar lock anew: `python -m smartcity.services.lock_jars GROUP [COORDINATE…] [options]`.

A coordinate is `org:name:version[:extension[:classifier]]`; a trailing `!` takes that artifact alone, without what its
POM asks for (needed for extensions other than jar). Without coordinates those of the lock are resolved again.

    --exclude ORG:NAME   leave it out, and what only it asks for; both may be regular expressions; may be repeated
    --on-spark           leave out what pyspark ships in any version: the jars join Spark's own class path
    --maven-url URL      resolve from this mirror
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from smartcity.services import jars
from smartcity.services.ivy import Dependency, Request, bundled_jars, run_ivy
from smartcity.settings import Settings, load

_ON_SPARK = "on-spark"


def resolve(settings: Settings, name: str, coordinates: Sequence[str], excluded: Sequence[str]) -> jars.Group:
    """Everything that the coordinates need, with digests taken from the files themselves."""
    with TemporaryDirectory(prefix="smartcity-lock-") as scratch:
        found: dict[Path, jars.Jar] = {}
        for part, transitive in enumerate((True, False)):
            wanted = [one for one in map(parse_coordinate, coordinates) if one.transitive is transitive]
            if not wanted:
                continue
            target = Path(scratch, f"retrieved-{part}")
            pairs = [_pair(one) for one in excluded if one != _ON_SPARK]
            run_ivy(settings, Request(wanted, Path(scratch, f"cache-{part}"), pairs, target, f"{name}'s jars"))
            found |= {jar.path: jar for jar in map(_locked, target.iterdir())}
        chosen = [jar for jar in found.values() if _ON_SPARK not in excluded or not _spark_ships(jar.name)]
        return jars.Group(name, tuple(coordinates), tuple(excluded), tuple(sorted(chosen, key=lambda jar: jar.path)))


def parse_coordinate(text: str) -> Dependency:
    """`org:name:version[:extension[:classifier]][!]`; raises `ValueError`."""
    parts = text.removesuffix("!").split(":")
    if not 3 <= len(parts) <= 5 or not all(parts[:3]):
        raise ValueError(f"{text!r} is not org:name:version[:extension[:classifier]][!]")
    org, name, version, extension, classifier = [*parts, *("jar", "")[len(parts) - 3 :]]
    return Dependency(org, name, version, extension, classifier, transitive=not text.endswith("!"))


def _pair(text: str) -> tuple[str, str]:
    org, _, name = text.partition(":")
    return org, name or ".*"


def _locked(file: Path) -> jars.Jar:
    """A retrieved file is named organisation#artifact#version#[classifier].extension."""
    org, name, version, rest = file.name.split("#")
    classifier, _, extension = rest.partition(".")
    return jars.Jar(org, name, version, extension, classifier, jars.sha256_of(file), file.stat().st_size)


def _spark_ships(name: str) -> bool:
    return any(file.name.removeprefix(f"{name}-")[:1].isdigit() for file in bundled_jars().glob(f"{name}-*.jar"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the lock file of this checkout and say what the group weighs."""
    parser = argparse.ArgumentParser(prog="smartcity.services.lock_jars", description=__doc__)
    parser.add_argument("group")
    parser.add_argument("coordinates", nargs="*")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--on-spark", action="store_true")
    parser.add_argument("--maven-url")
    given = parser.parse_args(arguments)
    settings = load(java={"maven_url": given.maven_url}) if given.maven_url else load()
    file = Path(__file__).with_name(jars.LOCK_FILE)
    groups = jars.parse_lock(file.read_text()) if file.exists() else {}
    old = groups.get(given.group)
    excluded = [*given.exclude, *([_ON_SPARK] if given.on_spark else [])]
    if old is not None and not given.coordinates:
        given.coordinates, excluded = list(old.coordinates), list(old.excluded)
    group = resolve(settings, given.group, given.coordinates, excluded)
    latest = jars.parse_lock(file.read_text()) if file.exists() else {}
    file.write_text(jars.render_lock({**latest, given.group: group}))
    sys.stdout.write(f"{given.group}: {len(group.jars)} jars, {sum(jar.size for jar in group.jars) / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
