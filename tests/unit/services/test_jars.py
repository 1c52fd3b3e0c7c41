"""The store of jars: fetched once, checked on every start, never trusted when the bytes are wrong."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.errors import PrerequisiteError
from smartcity.services import jars
from smartcity.services.jars import Group, Jar, JarStore

CONTENT = {"alpha": b"a" * 5_000, "beta": b"b" * 700, "gamma": b"c" * 90}


def jar_of(name: str, content: bytes) -> Jar:
    return Jar("org.example", name, "1.0", "jar", "", hashlib.sha256(content).hexdigest(), len(content))


GROUP = Group("demo", ("org.example:alpha:1.0",), (), tuple(jar_of(name, text) for name, text in CONTENT.items()))


class Mirror:
    """A fetcher over a dictionary, which counts what it was asked for."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.asked: list[str] = []

    def __call__(self, wanted: Sequence[Jar], target: Path, on_poll: Callable[[], None]) -> None:
        for jar in wanted:
            self.asked.append(jar.name)
            if jar.name in self.content:
                path = target / jar.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.content[jar.name])
            on_poll()


def store_of(tmp_path: Path, mirror: Mirror, group: Group = GROUP) -> JarStore:
    bundled = tmp_path / "bundled"
    bundled.mkdir(exist_ok=True)
    return JarStore(tmp_path / "jars", bundled, {group.name: group}, mirror)


def quiet(_label: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def test_fetches_once_in_the_order_of_the_lock_and_reports_bytes(tmp_path: Path) -> None:
    mirror, seen = Mirror(CONTENT), []
    store = store_of(tmp_path, mirror)
    files = store.ensure("demo", lambda *call: seen.append(call), 5)
    assert [file.read_bytes() for file in files] == list(CONTENT.values())
    total = sum(map(len, CONTENT.values()))
    assert seen[-1] == ("Demo's jars", total, total)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert store_of(tmp_path, Mirror({})).ensure("demo", quiet, 5) == files
    assert mirror.asked == list(CONTENT)


@pytest.mark.parametrize("damage", [lambda text: text[:-1], lambda text: b"x" + text[1:], lambda _: b""])
def test_a_damaged_file_alone_is_fetched_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    first = store_of(tmp_path, Mirror(CONTENT)).ensure("demo", quiet, 5)
    first[0].write_bytes(damage(CONTENT["alpha"]))
    os.utime(first[0], ns=(1, 1))
    mirror = Mirror(CONTENT)
    store = store_of(tmp_path, mirror)
    assert store.paths("demo") is None
    assert store.ensure("demo", quiet, 5)[0].read_bytes() == CONTENT["alpha"]
    assert mirror.asked == ["alpha"]


def test_a_missing_file_is_seen_and_fetched(tmp_path: Path) -> None:
    store_of(tmp_path, Mirror(CONTENT)).ensure("demo", quiet, 5)[1].unlink()
    mirror = Mirror(CONTENT)
    assert store_of(tmp_path, mirror).missing_bytes("demo") == 700
    store_of(tmp_path, mirror).ensure("demo", quiet, 5)
    assert mirror.asked == ["beta"]


def test_a_mirror_that_alters_files_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    evil = Mirror({**CONTENT, "beta": b"B" * 700})
    with pytest.raises(PrerequisiteError, match=r"beta-1\.0\.jar came with other bytes"):
        store_of(tmp_path, evil).ensure("demo", quiet, 5)
    assert not (tmp_path / "jars" / GROUP.jars[1].path).exists()
    mirror = Mirror(CONTENT)
    store_of(tmp_path, mirror).ensure("demo", quiet, 5)
    assert mirror.asked == ["beta"]


def test_what_pyspark_ships_with_the_same_bytes_is_used_in_place(tmp_path: Path) -> None:
    mirror = Mirror(CONTENT)
    store = store_of(tmp_path, mirror)
    (store.bundled / "alpha-1.0.jar").write_bytes(CONTENT["alpha"])
    (store.bundled / "beta-1.0.jar").write_bytes(b"B" * 700)
    files = store.ensure("demo", quiet, 5)
    assert mirror.asked == ["beta", "gamma"]
    assert files[0] == store.bundled / "alpha-1.0.jar"


def test_what_a_broken_fetch_left_half_is_not_kept(tmp_path: Path) -> None:
    half = tmp_path / "jars" / ".arrivals" / GROUP.jars[0].path
    half.parent.mkdir(parents=True)
    half.write_bytes(CONTENT["alpha"][:100])
    files = store_of(tmp_path, Mirror(CONTENT)).ensure("demo", quiet, 5)
    assert files[0].read_bytes() == CONTENT["alpha"]
    assert not (tmp_path / "jars" / ".arrivals").exists()


def test_a_changed_lock_is_fetched_though_the_old_stamp_is_there(tmp_path: Path) -> None:
    store_of(tmp_path, Mirror(CONTENT)).ensure("demo", quiet, 5)
    changed = {**CONTENT, "gamma": b"g" * 91}
    group = Group("demo", (), (), tuple(jar_of(name, text) for name, text in changed.items()))
    mirror = Mirror(changed)
    store_of(tmp_path, mirror, group).ensure("demo", quiet, 5)
    assert mirror.asked == ["gamma"]


def test_two_at_once_fetch_once(tmp_path: Path) -> None:
    mirror = Mirror(CONTENT)

    def slowly(wanted: Sequence[Jar], target: Path, on_poll: Callable[[], None]) -> None:
        time.sleep(0.2)
        mirror(wanted, target, on_poll)

    stores = [JarStore(tmp_path / "jars", tmp_path, {"demo": GROUP}, slowly) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda store: store.ensure("demo", quiet, 5), stores)
    assert first == second
    assert mirror.asked == list(CONTENT)


def test_no_room_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    huge = Group("demo", (), (), (Jar("o", "n", "1", "jar", "", "0" * 64, 10**18),))
    mirror = Mirror({})
    with pytest.raises(PrerequisiteError, match="MB are free"):
        store_of(tmp_path, mirror, huge).ensure("demo", quiet, 5)
    assert mirror.asked == []


words = st.text("abcdefghijklmnop.-", min_size=1, max_size=12)
locked = st.builds(Jar, words, words, words, st.just("jar"), st.sampled_from(["", "linux"]), words, st.integers(1))


@given(st.lists(locked, max_size=4), st.lists(words, max_size=2))
def test_the_lock_reads_back_as_written(found: list[Jar], coordinates: list[str]) -> None:
    group = Group("g", tuple(coordinates), ("a:b",), tuple(found))
    assert jars.parse_lock(jars.render_lock({"g": group})) == {"g": group}


def test_the_lock_of_the_package_is_sound() -> None:
    groups = jars.read_lock()
    assert {"kafka", "spark"} <= set(groups)
    for group in groups.values():
        assert len({jar.path for jar in group.jars}) == len(group.jars)
        assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in group.jars)
