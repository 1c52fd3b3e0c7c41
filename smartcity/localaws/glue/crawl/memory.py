"""What a crawler remembers between crawls: the facts of every object that it looked into, by ETag."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from smartcity.localaws.glue.crawl.facts import Facts
from smartcity.localaws.glue.crawl.listing import S3Object
from smartcity.localaws.glue.store import Store


class Memory:
    """The facts of one crawler, loaded once per crawl."""

    def __init__(self, store: Store, crawler: str) -> None:
        self._store, self._crawler = store, crawler
        with store.read() as db:
            rows = db.execute("SELECT uri, etag, doc FROM facts WHERE crawler = ?", (crawler,)).fetchall()
        self.seen: dict[str, tuple[str, bytes]] = {uri: (etag, doc) for uri, etag, doc in rows}
        self._shared: dict[bytes, Facts] = {}

    def recall(self, item: S3Object, whatever_etag: bool = False) -> Facts | None:
        """The facts of an object, if its content is still the same."""
        etag, doc = self.seen.get(item.uri, ("", b""))
        if not doc or (etag != item.etag and not whatever_etag):
            return None
        if doc not in self._shared:  # many files of a lake have the same columns and count
            self._shared[doc] = Facts.from_json(orjson.loads(doc))
        return self._shared[doc]

    def folders(self) -> set[str]:
        """Every folder in which something was seen, as `s3://bucket/…/`."""
        return {uri[: uri.rfind("/") + 1] for uri in self.seen}

    def learn(self, new: Sequence[tuple[S3Object, Facts]], present: set[str]) -> None:
        """Remember new facts and forget objects that are not `present` any more."""
        gone = [(self._crawler, uri) for uri in self.seen if uri not in present]
        rows = [(self._crawler, item.uri, item.etag, orjson.dumps(facts.to_json())) for item, facts in new]
        if not gone and not rows:
            return
        with self._store.write() as db:
            db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)
            db.executemany("DELETE FROM facts WHERE crawler = ? AND uri = ?", gone)
