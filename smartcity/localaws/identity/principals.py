"""From an access key to who holds it and what their policies say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from smartcity.localaws.identity.managed import MANAGED
from smartcity.localaws.identity.policy import PolicySet, Principal, Statement, statements
from smartcity.localaws.identity.store import Entity, IdentityStore


@dataclass(frozen=True)
class Identity:
    """Everything known of the holder of an access key. `kind` is "user" or "session"."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)  #: empty for long-lived keys
    expires_at: float  #: epoch seconds; infinity for long-lived keys
    principal: Principal
    user_id: str
    kind: str
    name: str  #: of the user, or of the session's role
    policies: PolicySet = field(repr=False)
    context: Mapping[str, tuple[str, ...]]


def policy_document(store: IdentityStore, arn: str) -> Mapping[str, object] | None:
    """The default version of a managed policy, the customer's or AWS's."""
    if arn in MANAGED:
        return MANAGED[arn]
    policy = store.find("policy", arn)
    if policy is None:
        return None
    document: Mapping[str, object] = json.loads(policy["Versions"][policy["Default"]]["Document"])
    return document


def entity_statements(store: IdentityStore, entity: Entity) -> tuple[Statement, ...]:
    """Statements of an entity's inline and attached policies; a user's groups included."""
    found: list[Statement] = []
    for name, text in entity["Inline"].items():
        found.extend(statements(json.loads(text), name))
    for arn in entity["Attached"]:
        found.extend(statements(policy_document(store, arn) or {}, arn))
    for group in entity.get("Groups", ()):
        member_of = store.find("group", group)
        if member_of is not None:
            found.extend(entity_statements(store, member_of))
    return tuple(found)


def policy_set(store: IdentityStore, entity: Entity | None, session_policies: Iterable[str] | None = None) -> PolicySet:
    """The policies of a user or role, narrowed by its boundary and by session policies (texts or managed ARNs)."""
    if entity is None:  # a session whose role is gone
        return PolicySet()
    boundary = entity.get("Boundary")
    session: list[Statement] | None = None
    if session_policies:
        session = []
        for item in session_policies:
            document = policy_document(store, item) if item.startswith("arn:") else json.loads(item)
            session.extend(statements(document or {}, "session"))
    return PolicySet(
        identity=entity_statements(store, entity),
        boundary=statements(policy_document(store, boundary) or {}, boundary) if boundary else None,
        session=None if session is None else tuple(session),
    )


def session_arn(account_id: str, role_name: str, session_name: str) -> str:
    """The ARN of an assumed role's session; a role's path does not appear in it."""
    return f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}"


class Principals:
    """Looks identities up; what it derived is kept until the store changes."""

    def __init__(self, store: IdentityStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._cache: dict[str, Identity] = {}
        self._generation = -1

    def by_key(self, access_key_id: str) -> Identity | None:
        """The identity of an active key or a session; an expired session is returned, for its own error."""
        if self._generation != self._store.generation:
            self._cache, self._generation = {}, self._store.generation
        found = self._cache.get(access_key_id)
        if found is None:
            found = self._long_lived(access_key_id) or self._session(access_key_id)
            if found is not None:
                self._cache[access_key_id] = found
        return found

    def policies_of(self, arn: str) -> PolicySet | None:
        """The policies of a user, role or live session by its ARN, or None where there is no such principal."""
        kind, _, rest = arn.partition(f":{self._store.account_id}:")[2].partition("/")
        if kind == "assumed-role":
            for session in self._store.all("session"):
                if session["Arn"] == arn and session["Expires"] > self._clock():
                    identity = self._session(session["AccessKeyId"])
                    return identity.policies if identity else None
            return None
        name = rest.rpartition("/")[2]
        entity = self._store.find(kind, name) if kind in ("user", "role") else None  # type: ignore[arg-type]
        return policy_set(self._store, entity) if entity is not None and entity["Arn"] == arn else None

    def _long_lived(self, access_key_id: str) -> Identity | None:
        key = self._store.find("key", access_key_id)
        user = self._store.find("user", key["UserName"]) if key is not None and key["Status"] == "Active" else None
        if key is None or user is None:
            return None
        arn = user["Arn"]
        return Identity(
            access_key_id=access_key_id,
            secret=key["Secret"],
            token="",
            expires_at=float("inf"),
            principal=Principal(arn, self._store.account_id, (arn,)),
            user_id=user["UserId"],
            kind="user",
            name=user["UserName"],
            policies=policy_set(self._store, user),
            context=self._context(user, arn, user["UserId"], "User") | {"aws:username": (user["UserName"],)},
        )

    def _session(self, access_key_id: str) -> Identity | None:
        session = self._store.find("session", access_key_id)
        if session is None:
            return None
        owner_kind = "role" if "RoleName" in session else "user"
        owner = self._store.find(owner_kind, session.get("RoleName") or session["UserName"])  # type: ignore[arg-type]
        if owner is not None and owner["Arn"] != session["OwnerArn"]:
            owner = None  # the name was given to another since
        kind = "AssumedRole" if owner_kind == "role" else "User"
        context = self._context(owner or {}, session["OwnerArn"], session["UserId"], kind)
        if kind == "User":
            context["aws:username"] = (session["UserName"],)
        return Identity(
            access_key_id=access_key_id,
            secret=session["Secret"],
            token=session["Token"],
            expires_at=session["Expires"],
            principal=Principal(session["Arn"], self._store.account_id, (session["Arn"], session["OwnerArn"])),
            user_id=session["UserId"],
            kind="session" if owner_kind == "role" else "user",
            name=session.get("RoleName") or session["UserName"],
            policies=policy_set(self._store, owner, session["Policies"]),
            context=context | {"aws:tokenissuetime": (str(session["Issued"]),)},
        )

    def _context(self, entity: Entity, arn: str, user_id: str, kind: str) -> dict[str, tuple[str, ...]]:
        tags = {f"aws:principaltag/{tag['Key']}".lower(): (tag["Value"],) for tag in entity.get("Tags", ())}
        return {
            **tags,
            "aws:principalarn": (arn,),
            "aws:principalaccount": (self._store.account_id,),
            "aws:principaltype": (kind,),
            "aws:userid": (user_id,),
        }
