"""Jars from a lock: named by version and SHA-256, fetched once into the user's cache, checked on every start.

A jar that pyspark ships with the same bytes is used where it lies. The rest lies in `cache_dir/jars` in the layout
of a Maven repository. A stamp per group remembers size and modification time of each file whose SHA-256 was seen to
be right; a start compares those only, so that it costs milliseconds and still sees a cut-off or altered file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartcity.errors import PrerequisiteError
from smartcity.services.disk import exclusive, require_space, writable
from smartcity.services.ivy import Dependency, Request, bundled_jars, run_ivy

if TYPE_CHECKING:
    from smartcity.settings import Settings

Progress = Callable[[str, int, int], None]
#: brings the jars of a list below a folder, in Maven's layout; calls back while it works
Fetcher = Callable[[Sequence["Jar"], Path, Callable[[], None]], None]

LOCK_FILE = "jars.lock.json"


@dataclass(frozen=True)
class Jar:
    """One locked artifact; `size` is in bytes."""

    org: str
    name: str
    version: str
    extension: str
    classifier: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Maven's name of the file."""
        return f"{self.name}-{self.version}{'-' if self.classifier else ''}{self.classifier}.{self.extension}"

    @property
    def path(self) -> Path:
        """Where it lies below the cache; Ivy keeps the dots of the organisation."""
        return Path(self.org, self.name, self.version, self.file_name)


@dataclass(frozen=True)
class Group:
    """The jars of one service, and from which coordinates they were resolved."""

    name: str
    coordinates: tuple[str, ...]
    excluded: tuple[str, ...]
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        """Changes when any jar does."""
        return hashlib.sha256("".join(jar.sha256 for jar in self.jars).encode()).hexdigest()

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f"{self.name.capitalize()}'s jars"


def parse_lock(text: str) -> dict[str, Group]:
    """The groups of a lock file; the inverse of `render_lock`."""
    groups: dict[str, Any] = json.loads(text)["groups"]
    return {
        name: Group(name, tuple(one["coordinates"]), tuple(one["excluded"]), tuple(Jar(**jar) for jar in one["jars"]))
        for name, one in groups.items()
    }


def render_lock(groups: Mapping[str, Group]) -> str:
    """The text of a lock file: sorted and one jar a line, so that a change reads well in a diff."""
    parts = []
    for name, group in sorted(groups.items()):
        jars = ",\n".join(f"    {json.dumps(asdict(jar))}" for jar in group.jars)
        head = f'"coordinates": {json.dumps(group.coordinates)}, "excluded": {json.dumps(group.excluded)}'
        parts.append(f'  {json.dumps(name)}: {{{head}, "jars": [\n{jars}\n  ]}}')
    return '{"groups": {\n' + ",\n".join(parts) + "\n}}\n"


@cache
def read_lock() -> dict[str, Group]:
    """The lock that the package carries."""
    return parse_lock(files("smartcity.services").joinpath(LOCK_FILE).read_text())


class JarStore:
    """The jars of a lock below `root`, with `bundled` as a folder of jars that may be used in place."""

    def __init__(self, root: Path, bundled: Path, groups: Mapping[str, Group], fetch: Fetcher) -> None:
        self.root = root
        self.bundled = bundled
        self.groups = groups
        self.fetch = fetch

    def paths(self, name: str) -> list[Path] | None:
        """The files of a group in the order of the lock, or None where one is missing or changed since its check."""
        group = self.groups[name]
        stamp = self._stamp(group)
        found = [Path(file) for file in stamp]
        return found if len(found) == len(group.jars) and all(_seen(path, stamp) for path in found) else None

    def ensure(self, name: str, progress: Progress, timeout_s: float) -> list[Path]:
        """Fetch what is missing or broken of a group, and return its files.

        Safe when two processes do it at once: the second waits and finds everything there. Raises `PrerequisiteError`.
        """
        found = self.paths(name)
        if found is not None:
            return found
        group = self.groups[name]
        with writable(self.root, "cache_dir"), exclusive(self.root / ".lock", timeout_s, "Another fetch of jars"):
            files = self._verified(group)
            if len(files) < len(group.jars):
                self._fetch([jar for jar in group.jars if jar not in files], group, progress)
                files = self._verified(group)
            self._check_complete(group, files)
            self._write_stamp(group, [files[jar] for jar in group.jars])
        return [files[jar] for jar in group.jars]

    def missing_bytes(self, name: str) -> int:
        """How much of a group must be fetched, judged by sizes alone."""
        return sum(jar.size for jar in self.groups[name].jars if not any(_sized(p, jar) for p in self._places(jar)))

    def _places(self, jar: Jar) -> tuple[Path, Path]:
        return self.bundled / jar.file_name, self.root / jar.path

    def _verified(self, group: Group) -> dict[Jar, Path]:
        """Every jar that is there with the right bytes; a wrong file in the cache is deleted."""
        stamp = self._stamp(group)
        found: dict[Jar, Path] = {}
        for jar in group.jars:
            for place in self._places(jar):
                if _sized(place, jar) and (_seen(place, stamp) or sha256_of(place) == jar.sha256):
                    found[jar] = place
                    break
            else:
                (self.root / jar.path).unlink(missing_ok=True)
        return found

    def _fetch(self, missing: Sequence[Jar], group: Group, progress: Progress) -> None:
        total = sum(jar.size for jar in missing)
        require_space(self.root, total * 1.1 / 1e6 + 50, group.label, "cache_dir")
        arrivals = self.root / ".arrivals"
        self._drop_broken(missing, arrivals)
        arrivals.mkdir(exist_ok=True)
        self.fetch(missing, arrivals, lambda: progress(group.label, min(_bytes_below(arrivals), total), total))
        for jar in missing:
            self._take(arrivals / jar.path, jar)
        shutil.rmtree(arrivals, ignore_errors=True)
        progress(group.label, total, total)

    def _drop_broken(self, missing: Iterable[Jar], arrivals: Path) -> None:
        """What an interrupted fetch left complete is kept; anything else would be taken for complete by Ivy."""
        for jar in missing:
            if (arrivals / jar.path).exists() and sha256_of(arrivals / jar.path) != jar.sha256:
                (arrivals / jar.path).unlink()

    def _take(self, arrived: Path, jar: Jar) -> None:
        if arrived.exists() and sha256_of(arrived) == jar.sha256:
            target = self.root / jar.path
            target.parent.mkdir(parents=True, exist_ok=True)
            arrived.replace(target)
        else:
            arrived.unlink(missing_ok=True)

    def _check_complete(self, group: Group, files: Mapping[Jar, Path]) -> None:
        broken = [jar.file_name for jar in group.jars if jar not in files]
        if broken:
            raise PrerequisiteError(
                f"{', '.join(broken[:3])} came with other bytes than the lock names ({len(broken)} such files).",
                "Try again. If it stays so, the mirror that java.maven_url names, or a proxy, alters files.",
            )

    def _stamp_file(self, group: Group) -> Path:
        return self.root / f"{group.name}.stamp.json"

    def _stamp(self, group: Group) -> dict[str, list[int]]:
        try:
            stamp = json.loads(self._stamp_file(group).read_text())
            return dict(stamp["files"]) if stamp["digest"] == group.digest else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _write_stamp(self, group: Group, files: Iterable[Path]) -> None:
        seen = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}
        partial = self._stamp_file(group).with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"digest": group.digest, "files": seen}))
        partial.replace(self._stamp_file(group))


def jar_store(settings: Settings) -> JarStore:
    """The store of this user's cache, filled by Ivy."""

    def fetch(jars: Sequence[Jar], target: Path, on_poll: Callable[[], None]) -> None:
        wanted = [Dependency(one.org, one.name, one.version, one.extension, one.classifier) for one in jars]
        run_ivy(settings, Request(wanted, target, purpose="the jars"), on_poll)

    return JarStore(settings.cache_dir / "jars", bundled_jars(), read_lock(), fetch)


def classpath(settings: Settings, group: str) -> list[Path]:
    """The files of a group that `prepare` has brought; milliseconds.

    Raises `PrerequisiteError` when it has not.
    """
    found = jar_store(settings).paths(group)
    if found is None:
        label = read_lock()[group].label
        raise PrerequisiteError(f"{label} are not in the cache, or are damaged.", "Fetch them with: smartcity up")
    return found


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sized(path: Path, jar: Jar) -> bool:
    try:
        return path.stat().st_size == jar.size
    except OSError:
        return False


def _seen(path: Path, stamp: Mapping[str, list[int]]) -> bool:
    try:
        now = path.stat()
    except OSError:
        return False
    return stamp.get(str(path)) == [now.st_size, now.st_mtime_ns]


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.suffix not in {".xml", ".properties"} and path.is_file() else 0
        except OSError:
            continue
    return total
