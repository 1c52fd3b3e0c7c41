"""Tests of Athena without services."""
