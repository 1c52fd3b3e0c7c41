"""`smartcity access`: one role per actor, planned, made, checked, removed, exported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from smartcity.cli.context import Context, of
from smartcity.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from smartcity.pipeline.access import Change, Role, Scope, Verdict

group = typer.Typer(no_args_is_help=True, help="IAM roles: one per actor, with the least it needs.")
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


def add(app: typer.Typer) -> None:
    """Add `access plan|apply|show|check|remove|export`."""
    app.add_typer(group, name="access")


@group.command()
def plan(context: typer.Context, as_json: Json = False) -> None:
    """What `apply` would change. Nothing is changed.

    Example: smartcity access plan
    """
    from smartcity.pipeline import access

    ours = of(context)
    scope = scope_of(ours)
    _show_changes(ours, access.plan_roles(ours.clients.aws("iam"), access.roles(scope), scope.project), as_json)


@group.command()
def apply(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask (local AWS never asks).")] = False,
    as_json: Json = False,
) -> None:
    """Make the roles as planned; again and again gives the same.

    Example: smartcity access apply
    """
    from smartcity.pipeline import access

    ours = of(context)
    scope, iam = scope_of(ours), ours.clients.aws("iam")
    changes = access.plan_roles(iam, access.roles(scope), scope.project)
    pending = [change for change in changes if change.what in {"create", "update"}]
    if pending and ours.settings.aws.target == "account" and not yes:
        _show_changes(ours, changes, as_json=False)
        typer.confirm(f"Change {len(pending)} roles in account {scope.account_id}?", abort=True, err=True)
    _show_changes(ours, access.apply_roles(iam, access.roles(scope), scope.project), as_json)


@group.command()
def show(context: typer.Context, actor: Annotated[str, typer.Argument(help="stream, frames, crawler, …")]) -> None:
    """The policies that an actor's role should have.

    Example: smartcity access show loader
    """
    ours = of(context)
    role = _role(scope_of(ours), actor)
    ours.console.text(json.dumps({"role": role.name, "trust": role.trust, "policy": role.policy}, indent=2))


@group.command()
def check(
    context: typer.Context,
    simulate_only: Annotated[bool, typer.Option("--simulate-only", help="Only ask IAM; try nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Prove that each role can do its work and no more.

    Example: smartcity access check
    """
    from smartcity.pipeline import access

    ours = of(context)
    ours.console.json_errors = as_json
    scope, iam, sts = scope_of(ours), ours.clients.aws("iam"), ours.clients.aws("sts")
    tried = ours.settings.aws.target == "local" and not simulate_only
    verdicts: list[Verdict] = []
    for role in access.roles(scope):
        found = access.describe_role(iam, role.name)
        if found is None:
            raise ServiceError(f"The role {role.name} does not exist.", "Make it with: smartcity access apply")
        verdicts += access.simulate(iam, role, found["arn"])
        if tried and not role.assumed_by_service:
            with access.seeded(ours.clients.aws("s3"), scope.bucket, role):
                credentials = access.assume(sts, found["arn"], "smartcity-check")
                verdicts += access.attempt(ours.clients.aws, credentials, role, scope)
    _show_verdicts(ours, verdicts, as_json)


def _show_verdicts(ours: Context, verdicts: list[Verdict], as_json: bool) -> None:
    from smartcity.pipeline import access

    rows = [(v.actor, v.probe.action, v.probe.resource, v.found, v.how, "" if v.right else "WRONG") for v in verdicts]
    if as_json:
        ours.console.json(
            [dict(zip(("role", "action", "resource", "allowed", "how", "verdict"), r, strict=True)) for r in rows]
        )
    else:
        ours.console.rows(("role", "action", "resource", "allowed", "how", ""), rows)
    wrong = [verdict for verdict in verdicts if not verdict.right]
    if wrong:
        raise ServiceError(
            f"{len(wrong)} of {len(verdicts)} probes are wrong: {wrong[0].sentence()}.", "See: smartcity access plan"
        )
    ours.console.say(f"{len(verdicts)} probes of {len(access.ACTORS)} roles, all right")


@group.command()
def remove(context: typer.Context, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete the roles that carry our tag, and nothing else.

    Example: smartcity access remove --yes
    """
    from smartcity.pipeline import access

    ours = of(context)
    scope, iam = scope_of(ours), ours.clients.aws("iam")
    changes = access.plan_removal(iam, scope)
    if not changes:
        ours.console.say("There is no role of ours.")
        return
    if not yes:
        _show_changes(ours, changes, as_json=False)
        typer.confirm(f"Delete these roles from account {scope.account_id}?", abort=True, err=True)
    _show_changes(ours, access.remove_roles(iam, scope), as_json=False)


@group.command()
def export(
    context: typer.Context,
    how: Annotated[Literal["terraform", "cloudformation"], typer.Option("--format", help="For which tool.")],
) -> None:
    """The roles as Terraform or CloudFormation on stdout.

    Example: smartcity access export --format terraform > roles.tf
    """
    from smartcity.pipeline import access

    ours = of(context)
    scope = scope_of(ours)
    write = access.as_terraform if how == "terraform" else access.as_cloudformation
    ours.console.text(write(access.roles(scope), scope.project))


def scope_of(ours: Context) -> Scope:
    """What the roles are narrowed to; the warehouse only if there is one."""
    from smartcity.pipeline import access, warehouse

    settings = ours.settings
    account = ours.clients.aws("sts").get_caller_identity()["Account"]
    group = warehouse.describe_workgroup(ours.clients.aws("redshift-serverless"), settings.redshift.workgroup)
    aws = settings.aws
    arn = group["workgroupArn"] if group else ""
    return access.Scope(settings.project, account, aws.region, aws.bucket, aws.database, aws.workgroup, arn)


def _role(scope: Scope, actor: str) -> Role:
    from smartcity.pipeline import access

    if actor not in access.ACTORS:
        raise UsageError(f"There is no actor {actor}.", f"The actors are: {', '.join(access.ACTORS)}.")
    return access.ACTORS[actor](scope)


def _show_changes(ours: Context, changes: list[Change], as_json: bool) -> None:
    if as_json:
        ours.console.json([vars(change) for change in changes])
        return
    rows: list[Any] = [(change.role, change.what, ", ".join(change.details)) for change in changes]
    ours.console.rows(("role", "change", "what"), rows)
