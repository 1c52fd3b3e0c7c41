from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from smartcity.pipeline.job_package import build_job_zip


def test_the_zip_holds_all_that_an_executor_imports(tmp_path: Path) -> None:
    package = build_job_zip(tmp_path)
    code = (
        f"import sys; sys.path = [{str(package)!r}, *[p for p in sys.path if not p.endswith('main')]]\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        "from smartcity.spark_job import remote, query, parse\n"
        "print(remote.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith(str(package))


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert build_job_zip(tmp_path).read_bytes() == build_job_zip(tmp_path / "again").read_bytes()
