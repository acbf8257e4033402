"""Dashboards and alert rules as code will live here; nothing yet."""
