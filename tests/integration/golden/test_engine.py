"""Every recorded query, asked of Trino itself: jars, settings, catalog and S3 give the answers that were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.golden.direct import Direct
from tests.golden.loader import load, unload
from tests.golden.queries import Query, all_queries

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration

QUERIES = all_queries()
WITH_ROWS = [one for one in QUERIES.values() if one.oracle and one.error is None]
MUST_FAIL = [one for one in QUERIES.values() if one.error is not None]
ATHENAS_OWN = [one for one in QUERIES.values() if not one.oracle]


def _name(query: Query) -> str:
    return query.name


@pytest.fixture(scope="module")
def engine(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    """Trino, with the five tables to ask about."""
    clients, settings = stack.clients, stack.settings
    load(clients.aws("s3"), clients.aws("glue"), "engine-lake", tmp_path_factory.mktemp("engine"))
    with closing(Direct(settings.trino_url, settings.folder.trino_token)) as direct:
        yield direct
    unload(clients.aws("glue"))


def test_the_set_is_whole() -> None:
    assert (len(WITH_ROWS), len(MUST_FAIL), len(ATHENAS_OWN)) == (228, 52, 5)


@pytest.mark.parametrize("query", WITH_ROWS, ids=_name)
def test_answers_as_recorded(query: Query, engine: Direct) -> None:
    answer = engine.run(query)

    assert answer.error is None, answer.message
    if query.name == "ddl__ctas_rowcount":  # recorded as a row, sent as the count of an update
        assert answer.update_count == query.rows[0][0]
    else:
        assert query.difference(answer.columns, answer.rows) == ""


@pytest.mark.parametrize("query", MUST_FAIL, ids=_name)
def test_fails_with_the_recorded_error(query: Query, engine: Direct) -> None:
    answer = engine.run(query)

    assert answer.error == query.error, answer.message


@pytest.mark.parametrize("query", ATHENAS_OWN, ids=_name)
def test_statements_of_athena_alone_are_none_of_trinos(query: Query, engine: Direct) -> None:
    assert engine.run(query).error == "SYNTAX_ERROR"
