"""Pages of long lists: an opaque token holds the key after which the next page starts.

Because pages start after a key instead of at a number, entries that come or go between two calls neither repeat
nor hide others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from smartcity.localaws.glue.faults import invalid

Item = TypeVar("Item")


def token_for(key: str) -> str:
    """The token of the page that starts after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def key_of(token: str | None) -> str:
    """The key a page starts after; empty for the first page. Raises Glue's error for a token that is not ours."""
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise invalid("Invalid next token") from None


def page(
    items: Sequence[Item], params: dict[str, Any], key: Callable[[Item], str], default: int = 100
) -> tuple[list[Item], dict[str, str]]:
    """The wanted page of `items` (sorted by `key`) and the `NextToken` member, if there is more."""
    after = key_of(params.get("NextToken"))
    rest = [item for item in items if key(item) > after] if after else list(items)
    limit = params.get("MaxResults") or default
    chosen = rest[:limit]
    return chosen, {"NextToken": token_for(key(chosen[-1]))} if len(rest) > limit else {}
