"""Databases, tables and their versions through botocore's own serialisers and parsers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from glue.conftest import ACCOUNT, World


def table(name: str = "t", **more: Any) -> dict[str, Any]:
    """A small table definition."""
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}], "Location": f"s3://b/{name}/"},
        **more,
    }


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Code and sentence of an AWS error."""
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_database_is_stored_in_lower_case_and_found_in_any(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "City", "Description": "d", "Parameters": {"k": "v"}}, Tags={"a": "1"})
    found = glue.get_database(Name="CITY")["Database"]
    assert (found["Name"], found["Description"], found["Parameters"]) == ("city", "d", {"k": "v"})
    assert found["CatalogId"] == ACCOUNT
    arn = f"arn:aws:glue:eu-west-2:{ACCOUNT}:database/city"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1"}


def test_errors_of_databases(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "d"})
    with pytest.raises(ClientError) as error:
        glue.create_database(DatabaseInput={"Name": "D"})
    assert code(error) == ("AlreadyExistsException", "Database already exists.")
    with pytest.raises(ClientError) as error:
        glue.get_database(Name="none")
    assert code(error) == ("EntityNotFoundException", "Database none not found.")
    with pytest.raises(ClientError) as error:
        glue.get_databases(CatalogId="999999999999")
    assert code(error)[0] == "EntityNotFoundException"


def test_databases_come_in_pages(glue: Any) -> None:
    names = [f"d{number:02d}" for number in range(7)]
    for name in names:
        glue.create_database(DatabaseInput={"Name": name})
    pages = list(glue.get_paginator("get_databases").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["DatabaseList"]) for page in pages] == [3, 3, 1]
    assert [item["Name"] for page in pages for item in page["DatabaseList"]] == names
    with pytest.raises(ClientError) as error:
        glue.get_databases(NextToken="!?")
    assert code(error)[0] == "InvalidInputException"


def test_deleting_a_database_deletes_what_is_in_it(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput=table())
    glue.delete_database(Name="d")
    glue.create_database(DatabaseInput={"Name": "d"})
    assert glue.get_tables(DatabaseName="d")["TableList"] == []


@pytest.fixture
def db(glue: Any) -> Any:
    """A client of a Glue with the database `d`."""
    glue.create_database(DatabaseInput={"Name": "d"})
    return glue


def test_a_table_gets_awss_defaults(db: Any) -> None:
    db.create_table(DatabaseName="D", TableInput=table("T", Parameters={"classification": "parquet"}))
    found = db.get_table(DatabaseName="d", Name="t")["Table"]
    assert found["VersionId"] == "0"
    assert found["CreatedBy"].endswith("user/ada")
    assert found["StorageDescriptor"]["SortColumns"] == []
    assert found["StorageDescriptor"]["Compressed"] is False
    assert found["Retention"] == 0


def test_update_makes_versions_and_skip_archive_does_not(db: Any) -> None:
    db.create_table(DatabaseName="d", TableInput=table())
    db.update_table(DatabaseName="d", TableInput=table(Description="one"))
    db.update_table(DatabaseName="d", TableInput=table(Description="two"), SkipArchive=True)
    found = db.get_table_versions(DatabaseName="d", TableName="t")["TableVersions"]
    assert [version["VersionId"] for version in found] == ["2", "0"]
    first = db.get_table_version(DatabaseName="d", TableName="t", VersionId="0")["TableVersion"]["Table"]
    assert "Description" not in first
    errors = db.batch_delete_table_version(DatabaseName="d", TableName="t", VersionIds=["0", "1", "2"])["Errors"]
    assert [error["VersionId"] for error in errors] == ["1", "2"]


def test_the_optimistic_lock_lets_one_of_many_writers_through(db: Any) -> None:
    db.create_table(DatabaseName="d", TableInput=table())

    def update(number: int) -> str:
        try:
            db.update_table(DatabaseName="d", TableInput=table(Description=str(number)), VersionId="0")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "done"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(update, range(8)))
    assert sorted(outcomes) == ["ConcurrentModificationException"] * 7 + ["done"]


def test_tables_are_listed_by_pattern(db: Any) -> None:
    for name in ("cars", "car_events", "bikes"):
        db.create_table(DatabaseName="d", TableInput=table(name))

    def names(pattern: str) -> list[str]:
        return [item["Name"] for item in db.get_tables(DatabaseName="d", Expression=pattern)["TableList"]]

    assert names("car*") == ["car_events", "cars"]
    assert names("car.*|bikes") == ["bikes", "car_events", "cars"]
    assert names("*s") == ["bikes", "car_events", "cars"]
    assert names("CARS") == ["cars"]
    with pytest.raises(ClientError) as error:
        names("(")
    assert code(error)[0] == "InvalidInputException"


def test_only_the_wanted_attributes(db: Any) -> None:
    db.create_table(DatabaseName="d", TableInput=table())
    found = db.get_tables(DatabaseName="d", AttributesToGet=["NAME", "TABLE_TYPE"])["TableList"]
    assert found == [{"Name": "t", "TableType": "EXTERNAL_TABLE"}]


def test_batch_delete_reports_what_is_not_there(db: Any) -> None:
    db.create_table(DatabaseName="d", TableInput=table())
    errors = db.batch_delete_table(DatabaseName="d", TablesToDelete=["t", "none"])["Errors"]
    assert [(error["TableName"], error["ErrorDetail"]["ErrorCode"]) for error in errors] == [
        ("none", "EntityNotFoundException")
    ]


def test_a_column_may_not_come_twice(db: Any) -> None:
    columns = {"Columns": [{"Name": "a", "Type": "int"}, {"Name": "A", "Type": "int"}]}
    with pytest.raises(ClientError) as error:
        db.create_table(DatabaseName="d", TableInput={"Name": "t", "StorageDescriptor": columns})
    assert code(error)[0] == "InvalidInputException"


def test_search_finds_by_column_name(db: Any) -> None:
    db.create_table(DatabaseName="d", TableInput=table("x"))
    assert [item["Name"] for item in db.search_tables(SearchText="x")["TableList"]] == ["x"]
    assert db.search_tables(SearchText="nothing")["TableList"] == []


def test_what_was_answered_survives_a_restart(world: World) -> None:
    world.glue.create_database(DatabaseInput={"Name": "d"})
    world.glue.create_table(DatabaseName="d", TableInput=table())
    crashed = world.service  # never stopped, as after kill -9
    world.open()
    assert world.glue.get_table(DatabaseName="d", Name="t")["Table"]["Name"] == "t"
    crashed.stop()


def test_account_settings_answer(glue: Any) -> None:
    assert glue.get_catalog_import_status()["ImportStatus"]["ImportCompleted"] is True
    settings = glue.get_data_catalog_encryption_settings()["DataCatalogEncryptionSettings"]
    assert settings["EncryptionAtRest"]["CatalogEncryptionMode"] == "DISABLED"
    with pytest.raises(ClientError) as error:
        glue.get_resource_policy()
    assert code(error)[0] == "EntityNotFoundException"
    digest = glue.put_resource_policy(PolicyInJson="{}")["PolicyHash"]
    assert glue.get_resource_policy()["PolicyHash"] == digest
    with pytest.raises(ClientError) as error:
        glue.put_resource_policy(PolicyInJson="{}", PolicyHashCondition="other")
    assert code(error)[0] == "ConditionCheckFailureException"


def test_functions(db: Any) -> None:
    assert db.get_user_defined_functions(Pattern="*")["UserDefinedFunctions"] == []
    db.create_user_defined_function(DatabaseName="d", FunctionInput={"FunctionName": "F", "ClassName": "x"})
    assert db.get_user_defined_function(DatabaseName="d", FunctionName="f")["UserDefinedFunction"]["ClassName"] == "x"
    assert len(db.get_user_defined_functions(DatabaseName="d", Pattern="f*")["UserDefinedFunctions"]) == 1
    db.delete_user_defined_function(DatabaseName="d", FunctionName="f")
    with pytest.raises(ClientError) as error:
        db.get_user_defined_function(DatabaseName="d", FunctionName="f")
    assert code(error)[0] == "EntityNotFoundException"


def test_there_are_no_connections_and_no_classifiers(glue: Any) -> None:
    assert glue.get_connections()["ConnectionList"] == []
    assert glue.get_classifiers()["Classifiers"] == []
    for call in (glue.get_connection, glue.get_classifier):
        with pytest.raises(ClientError) as error:
            call(Name="x")
        assert code(error)[0] == "EntityNotFoundException"
