"""docs/athena.md lists exactly the calls that are implemented."""

from __future__ import annotations

import re
from pathlib import Path

from .rig import Rig

PAGE = Path(__file__).parents[4] / "docs" / "athena.md"


def test_the_page_lists_every_call_and_no_other(rig: Rig) -> None:
    table = PAGE.read_text("utf-8").split("## Calls")[1].split("## Statements")[0]
    cells = re.findall(r"^\| ([A-Z][A-Za-z, ]+?) \|", table, re.MULTILINE)
    listed = [name for cell in cells for name in cell.split(", ")]
    assert sorted(listed) == sorted(rig.service.operations)
