"""A smart-city data pipeline, from a car's sensors to a dashboard, on one machine or in the cloud."""

__version__ = "0.1.0"
