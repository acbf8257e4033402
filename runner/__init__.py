"""Carries the parts in one process: the embedded runner, replay, score, and the command line."""

VERSION = "0.1.0"
"""The version of the whole product; pyproject.toml reads it here."""
