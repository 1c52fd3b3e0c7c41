"""Trino's geospatial functions: one jar of 72 kB that is published inside an archive of 194 MB only.

Hence they are a setting. The archive is fetched once, the jar taken out, the archive deleted.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smartcity.errors import PrerequisiteError
from smartcity.services.jars import classpath, sha256_of
from smartcity.services.trino_classes import write_if_changed

if TYPE_CHECKING:
    from smartcity.settings import Settings

GROUP = "trino-geospatial"
PLUGIN = "io.trino.plugin.geospatial.GeoPlugin"
_MEMBER = "/plugin/geospatial/io.trino_trino-geospatial-476.jar"
_SHA256 = "e0826db47b023d92caa27188baf68b8bad70a06f9cc535d728c3c495058cf131"
#: the server's own jars that the functions use: geometry and how it is stored in a value
_NEEDED = ("trino-geospatial-toolkit-", "trino-array-", "esri-geometry-api-", "jts-core-")


def jar(settings: Settings) -> Path:
    """The jar in the cache. Raises `PrerequisiteError` where it is not there or not whole."""
    found = _place(settings)
    if not is_there(settings):
        raise PrerequisiteError("Trino's geospatial functions are not in the cache.", "Fetch them with: smartcity up")
    return found


def is_there(settings: Settings) -> bool:
    """Whether the jar was taken out of the archive, and is whole."""
    found = _place(settings)
    return found.exists() and sha256_of(found) == _SHA256


def needed(server: Sequence[Path]) -> list[Path]:
    """Of the server's jars those that the plugin's class loader must see as well."""
    return [path for path in server if path.name.startswith(_NEEDED)]


def unpack(settings: Settings) -> None:
    """Take the jar out of the archive that the jar store has fetched and checked, then delete the archive."""
    archive = classpath(settings, GROUP)[0]
    with tarfile.open(archive) as content:
        for member in content:
            source = content.extractfile(member) if member.name.endswith(_MEMBER) else None
            if source is not None:
                write_if_changed(_place(settings), source.read())
                break
    archive.unlink()


def _place(settings: Settings) -> Path:
    return settings.cache_dir / "trino" / "trino-geospatial-476.jar"
