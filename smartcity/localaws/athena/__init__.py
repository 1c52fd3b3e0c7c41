"""Athena on Trino: the API's queries, workgroups and saved SQL; results in S3.

service      the calls                       executions, workgroups, saved, catalogs
runner       states of queries               work: which part runs a statement
statements   what is this statement?         tokens, cursor
queries      through the engine              engine, analysis, permissions, ctas, edits
ddl          Athena's own statements         formats, changes, show, catalog
output       result files                    results, csvfile, metadata, values
"""

from smartcity.localaws.athena.service import AthenaService

__all__ = ["AthenaService"]
