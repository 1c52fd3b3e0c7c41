"""The part of this package that runs on a cluster, as one zip: what `addPyFile` and `--py-files` take."""

from __future__ import annotations

import zipfile
from pathlib import Path

import smartcity

#: Modules that travel; importlinter sees to it that they import nothing else of ours.
_TRAVELS = ("__init__.py", "events.py", "layout.py", "errors.py", "spark_job")
#: Zip's earliest date: the same sources give the same bytes.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def build_job_zip(folder: Path) -> Path:
    """Write `smartcity-job.zip` into a folder and return its path."""
    root = Path(smartcity.__file__).parent
    target = folder / "smartcity-job.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _TRAVELS:
            path = root / name
            for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
                entry = zipfile.ZipInfo(str(Path("smartcity", file.relative_to(root))), _NO_DATE)
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return target
