"""docs/glue.md names exactly the operations that exist."""

from __future__ import annotations

import re
from pathlib import Path

from glue.conftest import World

PAGE = Path(__file__).parents[4] / "docs" / "glue.md"


def test_the_page_names_every_operation(world: World) -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", "\n".join(rows)))
    assert named == set(world.service.operations)
