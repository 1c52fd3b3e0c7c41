"""Who may do what: one role per actor with the least it needs, as data, and the calls that make, check and remove them.

Every role carries our tag, so that nobody else's is ever changed.
"""

from smartcity.pipeline.access.changes import (
    POLICY_NAME,
    TAG_KEY,
    Change,
    apply_roles,
    describe_role,
    ensure_role,
    plan_removal,
    plan_roles,
    remove_roles,
)
from smartcity.pipeline.access.check import Verdict, assume, attempt, seeded, simulate
from smartcity.pipeline.access.export import as_cloudformation, as_terraform
from smartcity.pipeline.access.roles import ACTORS, Probe, Role, Scope, crawler_role, roles

__all__ = [
    "ACTORS",
    "POLICY_NAME",
    "TAG_KEY",
    "Change",
    "Probe",
    "Role",
    "Scope",
    "Verdict",
    "apply_roles",
    "as_cloudformation",
    "as_terraform",
    "assume",
    "attempt",
    "crawler_role",
    "describe_role",
    "ensure_role",
    "plan_removal",
    "plan_roles",
    "remove_roles",
    "roles",
    "seeded",
    "simulate",
]
