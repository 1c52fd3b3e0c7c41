"""Users, groups and roles: what the three have in common, and each one's own calls."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.identity.store import Entity, IdentityStore


def moment(epoch_s: float) -> datetime:
    """AWS's times have whole seconds here."""
    return datetime.fromtimestamp(int(epoch_s), UTC)


def paginate(items: Sequence[Any], params: dict[str, Any], name: str, limit: int = 100) -> dict[str, Any]:
    """One page of a list in IAM's fashion; the marker is the position, opaque to clients."""
    try:
        start = int(base64.b64decode(params["Marker"], validate=True)) if "Marker" in params else 0
    except ValueError:
        raise AwsError("ValidationError", "Invalid Marker.") from None
    end = start + int(params.get("MaxItems", limit))
    page: dict[str, Any] = {name: list(items[start:end]), "IsTruncated": end < len(items)}
    if end < len(items):
        page["Marker"] = base64.b64encode(str(end).encode()).decode()
    return page


def under_path(items: Sequence[Entity], params: dict[str, Any]) -> list[Entity]:
    """Those whose path begins with PathPrefix."""
    prefix = params.get("PathPrefix", "/")
    return [item for item in items if item["Path"].startswith(prefix)]


def merged_tags(have: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    """Tags by key; the new win."""
    tags = {tag["Key"]: tag["Value"] for tag in [*have, *new]}
    if len(tags) > 50:
        raise AwsError("LimitExceeded", "The number of tags exceeds the limit of 50.", 409)
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def without_tags(have: list[dict[str, str]], keys: list[str]) -> list[dict[str, str]]:
    """The tags whose keys are not listed."""
    return [tag for tag in have if tag["Key"] not in keys]


def must_be_bare(entity: Entity) -> None:
    """AWS deletes nothing that still carries policies."""
    if entity["Inline"]:
        raise AwsError("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
    if entity["Attached"]:
        raise AwsError("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)


def boundary_of(entity: Entity) -> dict[str, str] | None:
    """The permissions boundary as the API shows it."""
    arn = entity.get("Boundary")
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn} if arn else None


def update(store: IdentityStore, kind: Any, name: str, alter: Callable[[Entity], None]) -> None:
    """Change one entity in one transaction."""
    with store.change():
        entity = store.get(kind, name)
        alter(entity)
        store.put(kind, name, entity)
