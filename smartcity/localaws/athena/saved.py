"""Named queries and prepared statements: SQL that a workgroup keeps."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.athena.faults import invalid, listing, moment, not_found, page
from smartcity.localaws.athena.store import Store
from smartcity.localaws.athena.workgroups import PRIMARY, Workgroups

NAMED, PREPARED = "named", "prepared"
_STATEMENT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_@:]{0,255}")


@dataclass(frozen=True)
class Saved:
    """The calls about named queries and prepared statements."""

    store: Store
    workgroups: Workgroups

    def operations(self) -> dict[str, Operation]:
        """The calls by name."""
        return {
            "CreateNamedQuery": self.create_query,
            "GetNamedQuery": self.get_query,
            "ListNamedQueries": self.list_queries,
            "UpdateNamedQuery": self.update_query,
            "DeleteNamedQuery": self.delete_query,
            "BatchGetNamedQuery": self.batch_get_queries,
            "CreatePreparedStatement": self.create_statement,
            "GetPreparedStatement": self.get_statement,
            "ListPreparedStatements": self.list_statements,
            "UpdatePreparedStatement": self.update_statement,
            "DeletePreparedStatement": self.delete_statement,
            "BatchGetPreparedStatement": self.batch_get_statements,
        }

    def workgroup_of(self, query_id: str) -> str:
        """The workgroup that holds a named query, for its permissions; `primary` if there is no such query."""
        found = self.store.find(NAMED, query_id)
        return found["WorkGroup"] if found else PRIMARY

    # Named queries

    def create_query(self, request: Request) -> dict[str, Any]:
        """CreateNamedQuery."""
        params = request.params
        workgroup = params.get("WorkGroup") or PRIMARY
        self.workgroups.find(workgroup)
        token = params.get("ClientRequestToken")
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{workgroup}/{token}") if token else uuid.uuid4())
        doc = {
            "Name": params["Name"],
            "Database": params["Database"],
            "QueryString": params["QueryString"],
            "NamedQueryId": id_,
            "WorkGroup": workgroup,
        }
        if params.get("Description"):
            doc["Description"] = params["Description"]
        if not self.store.put(NAMED, workgroup, id_, doc, replace=False) and self.store.find(NAMED, id_) != doc:
            raise invalid("Idempotent parameters do not match", "DUPLICATE_REQUEST")
        return {"NamedQueryId": id_}

    def get_query(self, request: Request) -> dict[str, Any]:
        """GetNamedQuery."""
        return {"NamedQuery": self._query(request.params["NamedQueryId"])}

    def list_queries(self, request: Request) -> dict[str, Any]:
        """ListNamedQueries."""
        workgroup = request.params.get("WorkGroup") or PRIMARY
        self.workgroups.find(workgroup)
        found, token = page([doc["NamedQueryId"] for doc in self.store.all(NAMED, workgroup)], request.params)
        return listing("NamedQueryIds", found, token)

    def update_query(self, request: Request) -> dict[str, Any]:
        """UpdateNamedQuery."""
        params = request.params
        doc = self._query(params["NamedQueryId"])
        doc |= {key: params[key] for key in ("Name", "Description", "QueryString") if key in params}
        self.store.put(NAMED, doc["WorkGroup"], doc["NamedQueryId"], doc)
        return {}

    def delete_query(self, request: Request) -> dict[str, Any]:
        """DeleteNamedQuery."""
        doc = self._query(request.params["NamedQueryId"])
        self.store.delete(NAMED, doc["WorkGroup"], doc["NamedQueryId"])
        return {}

    def batch_get_queries(self, request: Request) -> dict[str, Any]:
        """BatchGetNamedQuery."""
        found, missing = [], []
        for id_ in request.params["NamedQueryIds"]:
            doc = self.store.find(NAMED, id_)
            if doc is None:
                message = f"NamedQuery {id_} was not found"
                missing.append({"NamedQueryId": id_, "ErrorCode": "INVALID_INPUT", "ErrorMessage": message})
            else:
                found.append(doc)
        return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}

    def _query(self, id_: str) -> dict[str, Any]:
        found = self.store.find(NAMED, id_)
        if found is None:
            raise invalid(f"NamedQuery {id_} was not found")
        return found

    # Prepared statements

    def create_statement(self, request: Request) -> dict[str, Any]:
        """CreatePreparedStatement."""
        doc = self._statement_doc(request)
        if not self.store.put(PREPARED, doc["WorkGroupName"], doc["StatementName"], doc, replace=False):
            raise invalid("Prepared Statement already exists.")
        return {}

    def get_statement(self, request: Request) -> dict[str, Any]:
        """GetPreparedStatement."""
        doc = self._statement(request.params["WorkGroup"], request.params["StatementName"])
        return {"PreparedStatement": {**doc, "LastModifiedTime": moment(doc["LastModifiedTime"])}}

    def list_statements(self, request: Request) -> dict[str, Any]:
        """ListPreparedStatements."""
        self.workgroups.find(request.params["WorkGroup"])
        found, token = page(self.store.all(PREPARED, request.params["WorkGroup"]), request.params)
        summaries = [
            {"StatementName": doc["StatementName"], "LastModifiedTime": moment(doc["LastModifiedTime"])}
            for doc in found
        ]
        return listing("PreparedStatements", summaries, token)

    def update_statement(self, request: Request) -> dict[str, Any]:
        """UpdatePreparedStatement."""
        doc = self._statement_doc(request)
        self._statement(doc["WorkGroupName"], doc["StatementName"])
        self.store.put(PREPARED, doc["WorkGroupName"], doc["StatementName"], doc)
        return {}

    def delete_statement(self, request: Request) -> dict[str, Any]:
        """DeletePreparedStatement."""
        workgroup, name = request.params["WorkGroup"], request.params["StatementName"]
        self._statement(workgroup, name)
        self.store.delete(PREPARED, workgroup, name.lower())
        return {}

    def batch_get_statements(self, request: Request) -> dict[str, Any]:
        """BatchGetPreparedStatement."""
        found, missing = [], []
        for name in request.params["PreparedStatementNames"]:
            try:
                doc = self._statement(request.params["WorkGroup"], name)
                found.append({**doc, "LastModifiedTime": moment(doc["LastModifiedTime"])})
            except AwsError as error:
                missing.append({"StatementName": name, "ErrorCode": error.code, "ErrorMessage": error.message})
        return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}

    def _statement(self, workgroup: str, name: str) -> dict[str, Any]:
        self.workgroups.find(workgroup)
        found = self.store.get(PREPARED, workgroup, name.lower())
        if found is None:
            raise not_found(f"Prepared Statement {name} was not found in workgroup {workgroup}.", name)
        return found

    def _statement_doc(self, request: Request) -> dict[str, Any]:
        params = request.params
        self.workgroups.find(params["WorkGroup"])
        if not _STATEMENT_NAME.fullmatch(params["StatementName"]):
            raise invalid(f"Prepared statement name {params['StatementName']} is not valid.")
        doc = {
            "StatementName": params["StatementName"].lower(),
            "WorkGroupName": params["WorkGroup"],
            "QueryStatement": params["QueryStatement"],
            "LastModifiedTime": time.time(),
        }
        if "Description" in params:
            doc["Description"] = params["Description"]
        return doc
