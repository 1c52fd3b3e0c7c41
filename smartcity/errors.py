"""What can go wrong, as sentences.

Every error says what is wrong (`reason`) and what to do (`hint`); the exit code belongs to its kind.
Libraries raise, only `smartcity.cli.app` prints and exits.

    SmartCityError                 1  a bug, or something nobody foresaw
    ├── UsageError                 2  the command line asks for something that does not exist
    ├── SettingsError              3  a setting is missing or wrong
    ├── PrerequisiteError          4  Java, Docker, network, disk or credentials are missing
    └── ServiceError               5  a service failed, refused or did not answer in time
        ├── ServiceNotRunning      5
        └── DataLoss               5  what was produced is not what is stored
    Interrupted                  130  Ctrl-C
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command `smartcity`."""

    OK = 0
    BUG = 1
    USAGE = 2
    SETTINGS = 3
    PREREQUISITE = 4
    SERVICE = 5
    INTERRUPTED = 130


class SmartCityError(Exception):
    """Base of all errors that a user may see: `reason` says what is wrong, `hint` what to do."""

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class UsageError(SmartCityError):
    """The command line names a route, table, time or file that does not exist or does not parse."""

    exit_code = ExitCode.USAGE


class SettingsError(SmartCityError):
    """A setting is missing, contradictory or of the wrong type."""

    exit_code = ExitCode.SETTINGS


class PrerequisiteError(SmartCityError):
    """Something the machine must offer is missing: Java, Docker, network, disk space, credentials."""

    exit_code = ExitCode.PREREQUISITE


class ServiceError(SmartCityError):
    """A service failed, refused a request or did not answer before the deadline."""

    exit_code = ExitCode.SERVICE


class ServiceNotRunning(ServiceError):
    """A service that the command needs has not been started, or has died."""


class DataLoss(ServiceError):
    """Verification found that produced differs from stored + quarantined + duplicates."""


class Interrupted(SmartCityError):
    """The user pressed Ctrl-C; everything acknowledged so far is kept."""

    exit_code = ExitCode.INTERRUPTED
