"""Tests that simulate need all three engines; where one has no build for this Python, they wait."""

import importlib.util

ENGINES = ("epanet", "swmm", "opendssdirect")
collect_ignore = (
    []
    if all(importlib.util.find_spec(engine) for engine in ENGINES)
    else ["test_injections.py", "test_simulate.py"]
)
