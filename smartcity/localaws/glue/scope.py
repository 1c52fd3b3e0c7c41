"""What all parts of Glue share: the store, the account and region that ARNs are made of, and tags."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from smartcity.localaws.glue.faults import invalid
from smartcity.localaws.glue.store import Store

#: AWS's limit of tags on one resource.
MAX_TAGS = 50


@dataclass(frozen=True)
class Scope:
    """One account's catalog in one region."""

    store: Store
    region: str
    account_id: str

    def arn(self, kind: str, *names: str) -> str:
        """The ARN of a resource: `arn("table", "db", "t")` ends in `table/db/t`, `arn("catalog")` in `catalog`."""
        return f"arn:aws:glue:{self.region}:{self.account_id}:{'/'.join((kind, *names))}"

    def set_tags(self, db: sqlite3.Connection, arn: str, tags: dict[str, str]) -> None:
        """Add or replace tags. Raises InvalidInputException beyond AWS's limit."""
        rows = [(arn, name, value) for name, value in tags.items()]
        db.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", rows)
        (count,) = db.execute("SELECT count(*) FROM tags WHERE arn = ?", (arn,)).fetchone()
        if count > MAX_TAGS:
            raise invalid(f"A resource can have at most {MAX_TAGS} tags.")

    def forget_tags(self, db: sqlite3.Connection, arn: str) -> None:
        """Remove all tags of a resource that is deleted."""
        db.execute("DELETE FROM tags WHERE arn = ?", (arn,))
