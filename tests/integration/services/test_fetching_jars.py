"""Ivy against a Maven repository of our own: mirror, proxy, cut-off files, no network at all."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from smartcity.errors import PrerequisiteError
from smartcity.services import prepare
from smartcity.services.ivy import Dependency, Request, run_ivy
from smartcity.services.jars import Group, Jar, JarStore, jar_store
from smartcity.settings import Settings, load

pytestmark = pytest.mark.integration

CONTENT = {"alpha": b"PK" + b"a" * 300_000, "beta": b"PK" + b"b" * 50}
GROUP = Group(
    "demo",
    (),
    (),
    tuple(
        Jar("org.example.demo", name, "1.0", "jar", "", hashlib.sha256(text).hexdigest(), len(text))
        for name, text in CONTENT.items()
    ),
)


@dataclass
class Repository:
    """What the server was asked, and what it shall do wrong."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    altered: set[str] = field(default_factory=set)
    silent: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/m2/"


class Handler(BaseHTTPRequestHandler):
    """A Maven repository; also answers requests in the form that a proxy gets."""

    repository: ClassVar[Repository]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        here = self.repository
        if here.silent:
            time.sleep(3)
        name = urlsplit(self.path).path.rsplit("/", 1)[-1].removesuffix("-1.0.jar")
        content = CONTENT.get(name)
        if body:
            here.asked.append(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content[::-1] if name in here.altered else content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def repository() -> Iterator[Repository]:
    class Mine(Handler):
        repository = Repository()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    Mine.repository.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Mine.repository
    server.shutdown()
    thread.join()
    server.server_close()


def store(settings: Settings, tmp_path: Path) -> JarStore:
    return JarStore(tmp_path / "cache" / "jars", tmp_path, {"demo": GROUP}, jar_store(settings).fetch)


def settings_for(tmp_path: Path, **java: object) -> Settings:
    return load(cache_dir=tmp_path / "cache", data_dir=tmp_path / "data", java=java)


def quiet(_label: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def test_jars_come_from_the_mirror_once(tmp_path: Path, repository: Repository) -> None:
    settings = settings_for(tmp_path, maven_url=repository.url)
    seen: list[int] = []
    files = store(settings, tmp_path).ensure("demo", lambda _label, done, _total: seen.append(done), 60)
    assert [file.read_bytes() for file in files] == list(CONTENT.values())
    assert sorted(path.rsplit("/", 1)[-1] for path in repository.asked) == ["alpha-1.0.jar", "beta-1.0.jar"]
    assert seen[-1] == sum(map(len, CONTENT.values()))
    files[0].write_bytes(b"cut off")
    repository.asked.clear()
    assert store(settings, tmp_path).ensure("demo", quiet, 60)[0].read_bytes() == CONTENT["alpha"]
    assert [path.rsplit("/", 1)[-1] for path in repository.asked] == ["alpha-1.0.jar"]


def test_a_repository_that_alters_files_is_refused(tmp_path: Path, repository: Repository) -> None:
    repository.altered = {"beta"}
    with pytest.raises(PrerequisiteError, match=r"beta-1\.0\.jar came with other bytes"):
        store(settings_for(tmp_path, maven_url=repository.url), tmp_path).ensure("demo", quiet, 60)


def test_the_proxy_of_the_settings_is_asked(tmp_path: Path, repository: Repository) -> None:
    settings = settings_for(tmp_path, maven_url="http://nowhere.invalid/m2/", proxy=f"127.0.0.1:{repository.port}")
    store(settings, tmp_path).ensure("demo", quiet, 60)
    assert all(path.startswith("http://nowhere.invalid/m2/") for path in repository.asked)


def test_a_repository_without_the_jar_is_named_in_a_sentence(tmp_path: Path, repository: Repository) -> None:
    request = Request([Dependency("org.example", "gamma", "1.0")], tmp_path / "ivy")
    with pytest.raises(PrerequisiteError, match="gamma"):
        run_ivy(settings_for(tmp_path, maven_url=repository.url), request)


def test_a_repository_that_does_not_answer_is_given_up(tmp_path: Path, repository: Repository) -> None:
    repository.silent = True
    settings = settings_for(tmp_path, maven_url=repository.url, download_timeout_s=1.5)
    with pytest.raises(PrerequisiteError, match=r"took longer than 2 s"):
        store(settings, tmp_path).ensure("demo", quiet, 60)


def test_a_first_run_without_network_says_so(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, maven_url="http://127.0.0.1:9/m2/")
    with pytest.raises(PrerequisiteError, match="cannot be reached") as error:
        prepare(settings, quiet)
    assert "java.proxy" in error.value.hint


def test_a_later_run_needs_no_network() -> None:
    prepare(load(), quiet)
    prepare(load(java={"maven_url": "http://127.0.0.1:9/m2/"}), quiet)
