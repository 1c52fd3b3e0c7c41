"""Keys with prefix, delimiter and pages, in the order of their UTF-8 bytes, as S3 lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from smartcity.localaws.s3.store import ObjectRecord

#: (from this key, including it, at most so many) → objects in the order of their keys
Scan = Callable[[str, bool, int], list[ObjectRecord]]
_CHUNK = 1000


@dataclass
class Page:
    """One page; `last` is the key or common prefix after which the next page begins."""

    objects: list[ObjectRecord] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""

    @property
    def count(self) -> int:
        """Keys and common prefixes count alike."""
        return len(self.objects) + len(self.prefixes)


def after(prefix: str) -> str:
    """The smallest text greater than everything that begins with `prefix`, in the order of UTF-8 bytes.

    Code points sort as their UTF-8 bytes do; the gap of the surrogates, which SQLite cannot store, is jumped over.
    """
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1
            return prefix[: end - 1] + chr(following)
    return "\U0010ffff" * 256


def page(scan: Scan, prefix: str, delimiter: str, marker: str, limit: int) -> Page:
    """The page that follows `marker` (a key, or a common prefix that a page ended on)."""
    found = Page()
    if limit == 0:
        return found
    position, inclusive = _start(prefix, delimiter, marker)
    while True:
        chunk = scan(position, inclusive, min(_CHUNK, limit + 1))
        for record in chunk:
            if not record.key.startswith(prefix):
                return found
            common = _common_prefix(record.key, prefix, delimiter)
            if common and found.prefixes and found.prefixes[-1] == common:
                continue
            if found.count == limit:
                found.truncated = True
                return found
            if common:
                found.prefixes.append(common)
                found.last = common
            else:
                found.objects.append(record)
                found.last = record.key
        if len(chunk) < min(_CHUNK, limit + 1):
            return found
        position, inclusive = _next(found, chunk[-1].key, prefix, delimiter)


def _start(prefix: str, delimiter: str, marker: str) -> tuple[str, bool]:
    if marker < prefix:
        return prefix, True
    common = _common_prefix(marker, prefix, delimiter) if marker.startswith(prefix) else ""
    if common and common == marker:
        return after(common), True
    return marker, False


def _next(found: Page, last_key: str, prefix: str, delimiter: str) -> tuple[str, bool]:
    """Where to go on scanning: past the whole group of a common prefix, not through it."""
    common = _common_prefix(last_key, prefix, delimiter)
    return (after(common), True) if common and common == found.last else (last_key, False)


def _common_prefix(key: str, prefix: str, delimiter: str) -> str:
    if not delimiter:
        return ""
    end = key.find(delimiter, len(prefix))
    return key[: end + len(delimiter)] if end >= 0 else ""
