"""Tests that simulate need all three engines; where one has no build for this Python (3.13), they wait."""

import importlib.util

ENGINES = ("epanet", "swmm", "opendssdirect")
SIMULATE = ("generating", "importers", "injections", "large_city", "sensors", "simulate")
there = all(importlib.util.find_spec(engine) for engine in ENGINES)
collect_ignore = [] if there else [f"test_{name}.py" for name in SIMULATE]
