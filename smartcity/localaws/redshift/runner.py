"""Running statements: a pool of threads, sessions that are kept, cancellation, and what a restart finds."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smartcity.localaws.api import AwsError, Context
from smartcity.localaws.redshift import results
from smartcity.localaws.redshift.faults import SqlError
from smartcity.localaws.redshift.files import Files
from smartcity.localaws.redshift.records import KEEP_S, Records, Statement
from smartcity.localaws.redshift.session import Outcome, Session
from smartcity.localaws.redshift.shared import Shared

WORKERS = 4
MAX_ACTIVE = 500
CANCELLED = "Query cancelled on user's request"
INTERRUPTED = "ERROR: Query was interrupted: the warehouse restarted before its transaction was committed"


@dataclass
class Kept:
    """A session that outlives its statement."""

    session: Session
    workgroup: str
    owner: str
    expires: float
    keep_s: float
    busy: threading.Lock = field(default_factory=threading.Lock)


class Runner:
    """Runs submitted statements; each state is on disk before it can be seen."""

    def __init__(self, context: Context, shared: Shared) -> None:
        self._context = context
        self._shared = shared
        self.records = Records(shared.inventory.folder / "statements.sqlite")
        self._results = shared.inventory.folder / "results"
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="redshift")
        self._lock = threading.Lock()
        self._running: dict[str, Session] = {}
        self._cancelled: set[str] = set()
        self._kept: dict[str, Kept] = {}
        self._active = 0

    def submit(self, statement: Statement, keep_alive_s: int | None) -> None:
        """Record a statement and queue it."""
        with self._lock:
            if self._active >= MAX_ACTIVE:
                raise AwsError(
                    "ActiveStatementsExceededException", "The number of active statements exceeds the limit."
                )
            self._active += 1
        self.records.put(statement)
        self._pool.submit(self._run, statement, keep_alive_s)

    def claim_session(self, params: dict[str, Any], owner: str) -> str:
        """The id of the session to use: an existing one, a new one if it is to be kept, or none."""
        self._expire_sessions()
        given = params.get("SessionId")
        if given:
            if params.get("WorkgroupName") or params.get("Database"):
                raise AwsError("ValidationException", "SessionId cannot be combined with WorkgroupName or Database.")
            kept = self._kept.get(given)
            if kept is None or kept.owner != owner:
                raise AwsError("ValidationException", f"Session {given} is not available.")
            return str(given)
        return str(uuid.uuid4()) if params.get("SessionKeepAliveSeconds") else ""

    def session_workgroup(self, session_id: str) -> str | None:
        """The workgroup of a kept session."""
        kept = self._kept.get(session_id)
        return kept.workgroup if kept else None

    def _expire_sessions(self) -> None:
        with self._lock:
            gone = [
                key for key, kept in self._kept.items() if kept.expires < time.monotonic() and not kept.busy.locked()
            ]
            expired = [self._kept.pop(key) for key in gone]
        for kept in expired:
            kept.session.close()

    def _open(self, statement: Statement, keep_alive_s: int | None) -> Kept:
        with self._lock:
            kept = self._kept.get(statement.session_id)
        if kept is None:
            namespace = self._shared.inventory.get("workgroup", statement.workgroup)["namespaceName"]
            session = Session(self._shared.warehouse(namespace), lambda role: self._files(namespace, role))
            kept = Kept(session, statement.workgroup, statement.principal, 0.0, 0.0)
            if statement.session_id:
                with self._lock:
                    self._kept[statement.session_id] = kept
        if keep_alive_s is not None:
            kept.keep_s = float(keep_alive_s)
        return kept

    def _files(self, namespace: str, role: str) -> Files:
        """S3 with a role, which must be attached to the namespace."""
        found = self._shared.inventory.get("namespace", namespace)
        if role == "default":
            role = found["defaultIamRoleArn"]
            if not role:
                raise SqlError("The default IAM role is not set for the namespace")
        if role not in found["iamRoles"]:
            raise SqlError(f"The requested role {role} is not associated to cluster")
        return Files(self._context, role)

    def _run(self, statement: Statement, keep_alive_s: int | None) -> None:
        kept: Kept | None = None
        try:
            kept = self._open(statement, keep_alive_s)
            with kept.busy:
                self._run_in(statement, kept.session)
        except Exception as error:  # a statement must never stay without a final state
            self._fail(statement, error if isinstance(error, SqlError) else SqlError(f"Assert: {error}"))
        finally:
            with self._lock:
                self._active -= 1
                self._running.pop(statement.id, None)
                self._cancelled.discard(statement.id)
            if kept is not None:
                kept.expires = time.monotonic() + kept.keep_s
                if not statement.session_id:
                    kept.session.close()

    def _run_in(self, statement: Statement, session: Session) -> None:
        with self._lock:
            if statement.id in self._cancelled:
                statement.status, statement.error = "ABORTED", CANCELLED
                self.records.put(statement)
                return
            self._running[statement.id] = session
        statement.status, statement.started = "STARTED", time.time()
        self.records.put(statement)
        if statement.batch:
            self._run_batch(statement, session)
        else:
            outcome = session.execute(statement.sqls[0], statement.parameters, statement.id)
            self._keep(statement, 0, outcome)
        statement.status = "FINISHED"
        self.records.put(statement)

    def _run_batch(self, statement: Statement, session: Session) -> None:
        statement.subs = [
            {
                "status": "SUBMITTED",
                "rows": -1,
                "size": -1,
                "has_result": False,
                "error": "",
                "created": time.time(),
                "updated": time.time(),
                "names": [],
                "types": [],
            }
            for _ in statement.sqls
        ]

        def told(number: int, went: Outcome | SqlError) -> None:
            sub = statement.subs[number - 1]
            sub["updated"] = time.time()
            if isinstance(went, SqlError):
                sub.update(status="FAILED", error=went.text)
            else:
                sub["status"] = "FINISHED"
                self._keep(statement, number, went)
            self.records.put(statement)

        session.batch(statement.sqls, statement.parameters, statement.id, told)

    def _keep(self, statement: Statement, number: int, outcome: Outcome) -> None:
        found = {
            "rows": outcome.rows,
            "size": 0,
            "has_result": outcome.data is not None,
            "names": outcome.names,
            "types": [str(type_) for type_ in outcome.types],
        }
        if outcome.data is not None:
            found["size"] = results.save(outcome.data, self.result_file(statement, number))
        if number:
            statement.subs[number - 1].update(found)
            statement.has_result = statement.has_result or bool(found["has_result"])
        else:
            for key, value in found.items():
                setattr(statement, key, value)

    def _fail(self, statement: Statement, error: SqlError) -> None:
        cancelled = statement.id in self._cancelled
        statement.status = "ABORTED" if cancelled else "FAILED"
        statement.error = CANCELLED if cancelled else error.text
        statement.has_result = False
        for sub in statement.subs:
            if sub["status"] == "SUBMITTED":
                sub["status"] = "ABORTED"
        self.records.put(statement)

    def result_file(self, statement: Statement, number: int) -> Path:
        """Where the rows of a statement, or of one of a batch, lie."""
        return self._results / f"{statement.id}-{number}.arrow"

    def cancel(self, statement: Statement) -> bool:
        """Cancel a statement that waits or runs."""
        with self._lock:
            self._cancelled.add(statement.id)
            session = self._running.get(statement.id)
        if session is not None:
            threading.Thread(target=self._interrupt, args=(statement.id,), daemon=True).start()
        return True

    def _interrupt(self, statement_id: str) -> None:
        """Until it has ended: an interruption between two queries of a statement would be lost."""
        while True:
            with self._lock:
                session = self._running.get(statement_id)
            if session is None:
                return
            session.interrupt()
            time.sleep(0.05)

    def recover(self) -> None:
        """After a kill: what was committed is finished, all else failed; old results are removed."""
        for statement in self.records.unfinished():
            if self._was_committed(statement):
                statement.status = "FINISHED"
                for sub in statement.subs:
                    sub["status"] = "FINISHED"
            else:
                statement.status, statement.error = "FAILED", INTERRUPTED
            self.records.put(statement)
        for gone in self.records.expire():
            for path in self._results.glob(f"{gone}-*.arrow"):
                path.unlink(missing_ok=True)

    def _was_committed(self, statement: Statement) -> bool:
        group = self._shared.inventory.find("workgroup", statement.workgroup)
        if group is None:
            return False
        warehouse = self._shared.warehouse(group["namespaceName"])
        warehouse.forget(2 * KEEP_S)
        return warehouse.committed(statement.id)

    def stop(self) -> None:
        """Cancel what runs and wait for the threads."""
        with self._lock:
            running = list(self._running.values())
        for session in running:
            session.interrupt()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for kept in self._kept.values():
            kept.session.close()
        self._kept.clear()
