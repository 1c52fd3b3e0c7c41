"""What of Trino needs no Trino: class files, configuration, token, plugin folder, readiness."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity.errors import PrerequisiteError
from smartcity.services import trino_geospatial
from smartcity.services.aot import AotCache
from smartcity.services.jars import read_lock
from smartcity.services.java import bundled_java
from smartcity.services.trino import TrinoProgram, ensure_token, is_ready, project_engine, signed_token, trino_service
from smartcity.services.trino_classes import (
    MAIN_CLASS,
    empty_interface,
    launcher_jar,
    main_class,
    plugin_jar,
    write_if_changed,
)
from smartcity.services.trino_config import Engine, Lake, Limits, render, write_private
from smartcity.settings import load

LAKE = Lake("http://127.0.0.1:1", "eu-west-2", "s3://b/warehouse", "KEY", "s3cr=t\\\\:#ü")


def an_engine(folder: Path, port: int = 1, heap_mb: int = 640, memory_mb: int = 224) -> Engine:
    return Engine(folder, port, heap_mb, Limits(memory_mb, 8, 200, 1800.0))


def read_properties(text: str) -> dict[str, str]:
    """As java.util.Properties reads what `render` writes."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: _unescaped(value) for key, _, value in pairs}


def _unescaped(value: str) -> str:
    """Backslash escapes name UTF-16 units, two for a sign beyond the first plane."""
    return value.encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")


class TestClasses:
    def test_a_class_file_begins_as_java_wants_it(self) -> None:
        magic, minor, major = struct.unpack(">IHH", main_class("476")[:8])

        assert (magic, minor, major) == (0xCAFEBABE, 0, 52)

    def test_java_loads_both_classes(self, tmp_path: Path) -> None:
        """The JVM verifies them: the main class gets as far as missing Trino's server."""
        import subprocess

        jar = write_if_changed(tmp_path / "launcher.jar", launcher_jar("476"))
        command = [str(bundled_java().executable), "-Xverify:all", "-cp", str(jar), MAIN_CLASS]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr

        assert "NoClassDefFoundError: io/trino/server/Server" in told
        assert "VerifyError" not in told
        assert "ClassFormatError" not in told

    def test_an_interface_has_no_methods(self) -> None:
        assert empty_interface("a/B").endswith(struct.pack(">HHHH", 0, 0, 0, 0))

    def test_jars_are_the_same_bytes_every_time(self) -> None:
        assert launcher_jar("476") == launcher_jar("476")

    def test_the_plugin_jar_names_the_plugins(self) -> None:
        with zipfile.ZipFile(BytesIO(plugin_jar("a.B", "c.D"))) as jar:
            assert jar.read("META-INF/services/io.trino.spi.Plugin") == b"a.B\nc.D\n"

    def test_an_equal_file_is_left_alone(self, tmp_path: Path) -> None:
        file = write_if_changed(tmp_path / "a" / "x.jar", b"1")
        before = file.stat().st_mtime_ns

        write_if_changed(file, b"1")
        assert file.stat().st_mtime_ns == before
        assert write_if_changed(file, b"2").read_bytes() == b"2"


class TestConfiguration:
    @given(st.dictionaries(st.sampled_from(["a", "b.c"]), st.text(st.characters(exclude_categories=["Cs"]))))
    def test_any_text_survives_a_properties_file(self, properties: dict[str, str]) -> None:
        assert read_properties(render(properties)) == properties

    @given(st.integers(384, 64_000), st.integers(32, 64_000))
    def test_memory_always_fits_the_heap(self, heap_mb: int, memory_mb: int) -> None:
        """Trino refuses to start where a query's memory and the headroom exceed the heap."""
        found = an_engine(Path("/x"), heap_mb=heap_mb, memory_mb=memory_mb).properties("secret")
        megabytes = {key: int(str(found[key]).removesuffix("MB")) for key in found if "memory" in key}

        assert megabytes["query.max-memory-per-node"] + megabytes["memory.heap-headroom-per-node"] <= heap_mb
        assert megabytes["query.max-memory"] <= memory_mb

    def test_every_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        engine = an_engine(tmp_path)
        engine.write(LAKE, "internal")
        ensure_token(engine)

        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert len(files) == 8

    def test_the_secret_is_in_the_catalog_and_nowhere_else(self, tmp_path: Path) -> None:
        an_engine(tmp_path).write(LAKE, "internal")

        catalogs = sorted((tmp_path / "etc/catalog").iterdir())
        found = read_properties(catalogs[0].read_text())
        assert found["s3.aws-secret-key"] == found["hive.metastore.glue.aws-secret-key"] == LAKE.secret_access_key
        assert not [file for file in tmp_path.rglob("*.*") if file not in catalogs and "s3cr" in file.read_text()]

    def test_iceberg_may_be_left_out(self, tmp_path: Path) -> None:
        engine = an_engine(tmp_path)
        engine.write(LAKE, "internal")
        replace(engine, iceberg=False).write(LAKE, "internal")

        assert [file.stem for file in (tmp_path / "etc/catalog").iterdir()] == ["awsdatacatalog"]

    def test_a_file_of_loose_mode_is_replaced(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("old")
        file.chmod(0o644)

        write_private(file, "new")
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)


class TestToken:
    def test_it_is_signed_with_the_key_and_names_local_aws(self) -> None:
        head, body, signature = signed_token(b"k" * 32, "local-aws").split(".")

        assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "HS256"}
        assert json.loads(base64.urlsafe_b64decode(body + "==")) == {"sub": "local-aws"}
        expected = hmac.digest(b"k" * 32, f"{head}.{body}".encode(), hashlib.sha256)
        assert base64.urlsafe_b64decode(signature + "=") == expected

    def test_it_survives_a_restart(self, tmp_path: Path) -> None:
        engine = an_engine(tmp_path)
        ensure_token(engine)
        first = engine.token.read_text()

        ensure_token(engine)
        assert engine.token.read_text() == first


class TestPluginFolder:
    def test_links_follow_the_lock(self, tmp_path: Path) -> None:
        jars = [tmp_path / f"{name}.jar" for name in "abc"]
        for jar in jars:
            jar.touch()
        engine = an_engine(tmp_path / "trino")
        java, cache = bundled_java(), AotCache(tmp_path / "x.aot", False)

        TrinoProgram(java, [], jars[:2], ["p.Q"], cache).link_plugins(engine)
        TrinoProgram(java, [], jars[1:], ["p.Q"], cache).link_plugins(engine)

        found = {path.name: path.is_symlink() for path in (engine.plugins / "hive").iterdir()}
        assert found == {"b.jar": True, "c.jar": True, "smartcity-plugins.jar": False}

    def test_geospatial_functions_ask_for_their_archive_once(self, tmp_path: Path) -> None:
        plain = load(cache_dir=tmp_path)
        wanted = load(cache_dir=tmp_path, trino={"geospatial": True})

        assert trino_geospatial.GROUP not in trino_service(plain).jar_groups
        assert trino_geospatial.GROUP in trino_service(wanted).jar_groups
        with pytest.raises(PrerequisiteError):
            trino_geospatial.jar(wanted)

    def test_their_helpers_are_in_the_servers_lock(self) -> None:
        server = [Path(jar.file_name) for jar in read_lock()["trino"].jars]

        assert len(trino_geospatial.needed(server)) == 4


class TestReadiness:
    def test_nobody_listens(self, tmp_path: Path) -> None:
        assert not is_ready(an_engine(tmp_path), 0.2)

    def test_a_stranger_on_the_port_is_not_taken_for_it(self, tmp_path: Path, stranger: int) -> None:
        engine = an_engine(tmp_path, port=stranger)
        ensure_token(engine)

        assert not is_ready(engine, 1.0)

    def test_the_address_follows_the_setting(self) -> None:
        assert project_engine(load(trino={"port": 34_999})).url == "http://127.0.0.1:34999"


@pytest.fixture
def stranger() -> Iterator[int]:
    """A server that says it has started, and refuses our token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, b'{"starting": false}')

        def do_POST(self) -> None:
            self._answer(401, b'{"error": "who?"}')

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
