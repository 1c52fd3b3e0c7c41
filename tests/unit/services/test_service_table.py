"""What has to run for which settings, and what is executed for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from smartcity.errors import SettingsError
from smartcity.services import log, runtime_for, table
from smartcity.services.aot import aot_cache
from smartcity.services.ivy import Dependency, Request, _failure
from smartcity.services.java import bundled_java
from smartcity.services.kafka import KafkaProgram, project_broker
from smartcity.services.lock_jars import parse_coordinate
from smartcity.services.spark import spark_conf
from smartcity.settings import load


def test_only_what_the_settings_need_has_to_run() -> None:
    assert list(table.services(load())) == ["aws", "kafka", "trino"]
    assert list(table.services(load(trino={"url": "http://127.0.0.1:1"}))) == ["aws", "kafka"]
    assert list(table.services(load(aws={"target": "account"}))) == ["kafka"]
    assert table.services(load(kafka={"bootstrap_servers": "b:9092"}))["kafka"].command is None
    assert table.services(load(runtime="external"))["kafka"].command is None


def test_no_two_services_share_a_port_and_everything_is_local() -> None:
    specs = table.services(load()).values()
    taken = [port for spec in specs for port in spec.ports.values()]
    assert len(set(taken)) == len(taken)
    assert all("127.0.0.1" in spec.address for spec in specs)


def test_containers_are_refused_with_a_sentence() -> None:
    with pytest.raises(SettingsError, match="containers"):
        runtime_for(load(runtime="docker"))


def program(tmp_path: Path) -> KafkaProgram:
    java = bundled_java()
    return KafkaProgram(java, [tmp_path / "a.jar"], aot_cache(load(cache_dir=tmp_path), "kafka", java, [], []))


def test_the_log_folder_is_formatted_once(tmp_path: Path) -> None:
    broker = project_broker(load(data_dir=tmp_path))
    assert "kafka.tools.StorageTool" in " ".join(program(tmp_path).serve(broker, []))
    (broker.folder / "log").mkdir(parents=True)
    (broker.folder / "log" / "meta.properties").write_text("version=1\ncluster.id=abc\nnode.id=1\n")
    assert "kafka.tools.StorageTool" not in " ".join(program(tmp_path).serve(broker, []))
    assert broker.cluster_id == "abc"


def test_the_broker_listens_on_loopback_only(tmp_path: Path) -> None:
    properties = project_broker(load(data_dir=tmp_path, kafka={"retention_hours": 0.5})).properties
    assert str(properties["listeners"]).count("://127.0.0.1:") == str(properties["listeners"]).count("://")
    assert properties["log.retention.ms"] == 1_800_000


def test_a_cache_belongs_to_one_java_and_class_path(tmp_path: Path) -> None:
    settings, java = load(cache_dir=tmp_path), bundled_java()
    jar = tmp_path / "a.jar"
    jar.write_text("one")
    first = aot_cache(settings, "kafka", java, [jar], [])
    assert first.flags == []
    first.file.parent.mkdir()
    first.partial.write_text("cache")
    assert first.publish()
    assert first.flags[0] == f"-XX:AOTCache={first.file}"
    jar.write_text("another")
    second = aot_cache(settings, "kafka", java, [jar], [])
    assert second.flags == []
    second.partial.write_text("cache")
    second.publish()
    assert not first.exists, "what is replaced does not stay on the disk"
    assert not aot_cache(settings, "kafka", replace(java, version=21), [jar], []).possible


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("o:n:1", Dependency("o", "n", "1", transitive=True)),
        ("o:n:1!", Dependency("o", "n", "1")),
        ("o:n:1:zip!", Dependency("o", "n", "1", "zip")),
        ("o:n:1:jar:linux", Dependency("o", "n", "1", "jar", "linux", transitive=True)),
    ],
)
def test_coordinates(text: str, found: Dependency) -> None:
    assert parse_coordinate(text) == found


@pytest.mark.parametrize("text", ["", "o:n", "o::1", "a:b:c:d:e:f"])
def test_wrong_coordinates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not org:name:version"):
        parse_coordinate(text)


def test_names_are_quoted_for_ivy() -> None:
    request = Request([Dependency('a"&b', "n", "1")], Path("cache"), [("x", "y.*")])
    assert "org='a\"&amp;b'" in request.ivy_xml
    assert 'module="y.*"' in request.ivy_xml


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("SERVER ERROR: UnknownHostException: x", "cannot be reached"),
        ("PKIX path building failed", "certificate is not trusted"),
        ("\n:: UNRESOLVED DEPENDENCIES\n:: a#b;1: not found\n", "a#b;1: not found"),
    ],
)
def test_what_ivy_says_becomes_a_sentence(output: str, sentence: str) -> None:
    assert sentence in _failure(output, "the jars").reason


def test_spark_speaks_to_local_aws_with_its_key_or_to_an_account_with_the_search(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, aws={"port": 31999})
    settings.folder.aws.mkdir()
    settings.folder.credentials.write_text(json.dumps({"access_key_id": "A", "secret_access_key": "S"}))
    local = spark_conf(settings)
    assert local["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:31999"
    assert local["spark.hadoop.fs.s3a.secret.key"] == "S"
    account = spark_conf(load(data_dir=tmp_path, aws={"target": "account"}))
    assert "spark.hadoop.fs.s3a.endpoint" not in account
    assert "spark.hadoop.fs.s3a.secret.key" not in account


def test_the_last_lines_are_of_the_last_run_and_free_of_stack_frames(tmp_path: Path) -> None:
    file = tmp_path / "demo.log"
    file.write_text("--- start 1\nold\n--- start 2\nERROR bad luck\n\tat a.b.C(D.java:1)\n\n")
    assert log.last_lines(file) == ["ERROR bad luck"]
    assert log.last_lines(tmp_path / "none") == []
