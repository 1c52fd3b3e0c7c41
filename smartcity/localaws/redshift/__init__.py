"""Local Redshift: the Data API and Redshift Serverless on DuckDB."""

from smartcity.localaws.redshift.data_api import RedshiftDataService
from smartcity.localaws.redshift.serverless import RedshiftServerlessService

__all__ = ["RedshiftDataService", "RedshiftServerlessService"]
