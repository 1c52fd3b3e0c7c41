"""Glue: a data catalog in SQLite, and crawlers that really list S3 and read what lies there."""

from smartcity.localaws.glue.service import GlueService

__all__ = ["GlueService"]
