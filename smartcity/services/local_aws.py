"""Local AWS as a child process: `python -m smartcity.localaws`, ready when it answers a signed request."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from smartcity.services import ports
from smartcity.services.spec import Command, ServiceSpec

if TYPE_CHECKING:
    from smartcity.settings import Settings

_BODY = "Action=GetCallerIdentity&Version=2011-06-15"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


def aws_service(settings: Settings) -> ServiceSpec:
    """The row of the table of services."""
    return ServiceSpec(
        name="aws",
        title="Local AWS",
        ports={"aws.port": settings.aws.port},
        address=f"http://{ports.LOOPBACK}:{settings.aws.port}",
        data_dir=settings.folder.aws,
        command=lambda: command(settings),
        ready=lambda within_s: answers(settings, within_s),
        free_disk_mb=500,
    )


def command(settings: Settings) -> Command:
    """What runs it."""
    aws = settings.aws
    where = ["--data-dir", str(settings.folder.aws.absolute()), "--port", str(aws.port)]
    who = ["--region", aws.region, "--account-id", aws.account_id, "--trino-url", settings.trino_url]
    who += ["--max-queries", str(settings.trino.max_queries)]
    # -P: the data folder, where it runs, must not become a place to import from
    return Command([sys.executable, "-P", "-m", "smartcity.localaws", *where, *who], {"PYTHONUNBUFFERED": "1"})


def answers(settings: Settings, within_s: float) -> bool:
    """Whether local AWS accepts a sts:GetCallerIdentity signed with its own administrator's key."""
    if not ports.accepts(settings.aws.port, min(within_s, 0.5)):
        return False
    try:
        headers = _signed_headers(settings)
        connection = HTTPConnection(ports.LOOPBACK, settings.aws.port, timeout=within_s)
        try:
            connection.request("POST", "/", _BODY, headers)
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError, KeyError):
        return False


def _signed_headers(settings: Settings) -> dict[str, str]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    stored = json.loads(settings.folder.credentials.read_text())
    key = Credentials(stored["access_key_id"], stored["secret_access_key"])
    url = f"http://{ports.LOOPBACK}:{settings.aws.port}/"
    request = AWSRequest("POST", url, data=_BODY, headers={"Content-Type": _FORM})
    SigV4Auth(key, "sts", settings.aws.region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}
