"""The page about local AWS lists exactly what the services implement."""

from __future__ import annotations

from pathlib import Path

from smartcity.localaws.operations import implemented, replaced, table
from smartcity.localaws.wire.models import service_model

PAGE = Path(__file__).parents[3] / "docs" / "local-aws.md"


def test_the_page_lists_what_is_implemented() -> None:
    page = PAGE.read_text()
    hint = "run: python -m smartcity.localaws.operations --write docs/local-aws.md"
    assert replaced(page, table(implemented())) == page, hint


def test_every_operation_is_one_of_the_model() -> None:
    for service, operations in implemented().items():
        assert set(operations) <= set(service_model(service).operation_names), service
