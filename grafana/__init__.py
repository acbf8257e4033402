"""Grafana's boards and alert rules, from the city model and the table of points."""
