"""Incidents to people: who is told what, when, and why. Pure: time comes with the records."""
