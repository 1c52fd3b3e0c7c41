"""Running Ivy, the resolver that pyspark ships: by it jars come from a Maven repository without any tool installed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from smartcity.errors import PrerequisiteError
from smartcity.services.java import find_java
from smartcity.services.trust import java_trust_flags

if TYPE_CHECKING:
    from smartcity.settings import Settings

_POLL_S = 0.1
#: where an artifact lies below the cache: the layout of a Maven repository
LAYOUT = "[organisation]/[module]/[revision]/[artifact]-[revision](-[classifier]).[ext]"


@dataclass(frozen=True)
class Dependency:
    """One module to fetch, and which of its artifacts; `transitive` also what its POM asks for."""

    org: str
    name: str
    version: str
    extension: str = "jar"
    classifier: str = ""
    transitive: bool = False

    @property
    def xml(self) -> str:
        """The element of an ivy.xml."""
        head = f"org={quoteattr(self.org)} name={quoteattr(self.name)} rev={quoteattr(self.version)}"
        if self.transitive:
            return f'<dependency {head} conf="default->default"/>'
        kind = f"type={quoteattr(self.extension)} ext={quoteattr(self.extension)}"
        classifier = f" m:classifier={quoteattr(self.classifier)}" if self.classifier else ""
        artifact = f"<artifact name={quoteattr(self.name)} {kind}{classifier}/>"
        return f'<dependency {head} transitive="false" conf="default->*">{artifact}</dependency>'


@dataclass(frozen=True)
class Request:
    """What one run of Ivy shall bring below `cache`, which keeps what a broken run had fetched."""

    dependencies: Sequence[Dependency]
    cache: Path
    #: pairs of organisation and module, each exact or a regular expression
    excluded: Sequence[tuple[str, str]] = ()
    #: copy everything resolved here, as organisation#artifact#version#classifier.extension
    retrieve: Path | None = None
    purpose: str = "the jars"

    @property
    def ivy_xml(self) -> str:
        """The module that depends on everything wanted."""
        wanted = [one.xml for one in self.dependencies]
        unwanted = [
            f'<exclude org={quoteattr(org)} module={quoteattr(name)} matcher="exactOrRegexp"/>'
            for org, name in self.excluded
        ]
        return (
            '<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">'
            '<info organisation="smartcity" module="jars"/><configurations><conf name="default"/></configurations>'
            f"<dependencies>{''.join(wanted)}{''.join(unwanted)}</dependencies></ivy-module>"
        )


def bundled_jars() -> Path:
    """The folder of jars that pyspark ships, Ivy among them."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise PrerequisiteError("The package pyspark is missing.", "Install the project again: make setup")
    return Path(found.origin).parent / "jars"


def run_ivy(settings: Settings, request: Request, on_poll: Callable[[], None] = lambda: None) -> None:
    """Run Ivy until everything of `request` is there, calling `on_poll` some ten times a second.

    Raises `PrerequisiteError` that tells an unreachable repository from a refused certificate and a missing jar.
    """
    with TemporaryDirectory(prefix="smartcity-ivy-") as scratch:
        files = Path(scratch)
        (files / "ivy.xml").write_text(request.ivy_xml)
        (files / "settings.xml").write_text(_settings_xml(settings, request))
        with (files / "output").open("wb") as output:
            code = _supervise(_command(settings, request, files), output.fileno(), settings, request, on_poll)
        if code != 0:
            raise _failure((files / "output").read_text(errors="replace"), request.purpose)


def _supervise(
    command: Sequence[str], output: int, settings: Settings, request: Request, on_poll: Callable[[], None]
) -> int:
    limit_s = settings.java.download_timeout_s
    deadline = time.monotonic() + limit_s
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as ivy:
        try:
            while (code := ivy.poll()) is None:
                on_poll()
                if time.monotonic() > deadline:
                    raise PrerequisiteError(
                        f"Fetching {request.purpose} took longer than {limit_s:.0f} s.",
                        "Try again: what came is kept. Or raise java.download_timeout_s, or set java.maven_url.",
                    )
                time.sleep(_POLL_S)
        finally:
            if ivy.poll() is None:
                ivy.kill()
        return code


def _command(settings: Settings, request: Request, files: Path) -> list[str]:
    jar = next(iter(bundled_jars().glob("ivy-*.jar")), None)
    if jar is None:
        raise PrerequisiteError("pyspark ships no Ivy here.", "Install the project again: make setup")
    java = find_java(settings)
    small = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"]
    network = [*java_trust_flags(settings), *_proxy_flags(settings)]
    where = ["-settings", str(files / "settings.xml"), "-ivy", str(files / "ivy.xml"), "-cache", str(request.cache)]
    target = "[organisation]#[artifact]#[revision]#([classifier]).[ext]"
    retrieve = ["-retrieve", f"{request.retrieve}/{target}"] if request.retrieve else []
    main = ["-cp", str(jar), "org.apache.ivy.Main", "-warn", "-confs", "default"]
    return [str(java.executable), *small, *network, *main, *where, *retrieve]


def _settings_xml(settings: Settings, request: Request) -> str:
    transitive = any(one.transitive for one in request.dependencies)
    root = f"root={quoteattr(settings.java.maven_url)}" if settings.java.maven_url else ""
    poms = f'usepoms="{str(transitive).lower()}" useMavenMetadata="false" checksums=""'
    return (
        '<ivysettings><settings defaultResolver="maven"/>'
        f"<caches defaultCacheDir={quoteattr(str(request.cache))} artifactPattern={quoteattr(LAYOUT)}/>"
        '<timeout-constraints><timeout-constraint name="t" connectionTimeout="15000" readTimeout="60000"/>'
        "</timeout-constraints>"
        f'<resolvers><ibiblio name="maven" m2compatible="true" {poms} {root} timeoutConstraint="t"/></resolvers>'
        "</ivysettings>"
    )


def _proxy_flags(settings: Settings) -> list[str]:
    """JVM flags for the proxy of `java.proxy` (host:port), else of HTTPS_PROXY or HTTP_PROXY."""
    found = settings.java.proxy or next(
        (
            os.environ[name]
            for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
            if os.environ.get(name)
        ),
        None,
    )
    if not found:
        return []
    parts = urlsplit(found if "//" in found else f"//{found}")
    kinds = ("http", "https")
    flags = [f"-D{kind}.proxyHost={parts.hostname}" for kind in kinds if parts.hostname]
    return flags + [f"-D{kind}.proxyPort={parts.port}" for kind in kinds if parts.port]


def _failure(output: str, purpose: str) -> PrerequisiteError:
    if "PKIX" in output or "SSLHandshake" in output:
        return PrerequisiteError(
            f"The Maven repository's certificate is not trusted, so {purpose} cannot be fetched.",
            "Point SSL_CERT_FILE at a bundle that holds its authority, or java.trust_store at a Java trust store.",
        )
    unreachable = ("UnknownHost", "ConnectException", "SocketTimeout", "NoRouteToHost", "unreachable", "Connection re")
    if any(sign in output for sign in unreachable):
        return PrerequisiteError(
            f"The Maven repository cannot be reached, and {purpose} are not in the cache yet.",
            "Connect once: afterwards no network is needed. Behind a proxy set java.proxy; a mirror is java.maven_url.",
        )
    last = [line.strip(" :\t") for line in output.splitlines() if line.strip(" :\t")][-3:]
    return PrerequisiteError(
        f"Ivy could not fetch {purpose}: {' / '.join(last) or 'it said nothing'}",
        "Does the repository that java.maven_url names hold them? Unset it to use Maven Central.",
    )
