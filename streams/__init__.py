"""Readings to alarms (detect), alarms to incidents (correlate). Pure: time comes with the records."""
