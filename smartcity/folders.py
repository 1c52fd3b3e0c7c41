"""The one data folder of a project: where every service, ledger and log of it lives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataFolder:
    """Paths below the data folder. Nothing is created by asking for a path."""

    root: Path

    @property
    def run(self) -> Path:
        """Pid files of running services, one JSON per service."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file per service: `<service>.log`."""
        return self.root / "logs"

    @property
    def kafka(self) -> Path:
        """Log segments and configuration of the native broker."""
        return self.root / "kafka"

    @property
    def aws(self) -> Path:
        """State of local AWS: S3 objects as files, SQLite databases."""
        return self.root / "aws"

    @property
    def credentials(self) -> Path:
        """Access key and secret of local AWS's administrator, made once, readable by the owner only."""
        return self.aws / "credentials.json"

    @property
    def trino(self) -> Path:
        """Configuration and scratch space of Trino."""
        return self.root / "trino"

    @property
    def trino_token(self) -> Path:
        """The bearer token without which Trino answers nobody; readable by the owner only."""
        return self.trino / "token"

    @property
    def spark(self) -> Path:
        """Scratch space of Spark."""
        return self.root / "spark"

    @property
    def ledger(self) -> Path:
        """What producers sent and brokers acknowledged, one folder per run of a producer."""
        return self.root / "ledger"

    @property
    def journeys(self) -> Path:
        """State of `smartcity run`, so that a broken run can be resumed."""
        return self.root / "journeys"
