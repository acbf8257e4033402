"""What every benchmark shares: its flags, the machine it ran on, the shape of its answer.

A benchmark is a script in this folder. It prints figures (with the unit in the name) and ratios (above 1
where we are better), as a table or with ``--json`` as one object: ``name``, ``machine``, ``figures``,
``ratios``. Read the ratios: both sides of one were measured in the same run, in turns.
Importing this file puts the checkout on the search path, so that a benchmark can import our packages.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
HERE = str(Path(__file__).resolve().parent)
sys.path = [
    str(ROOT),
    *(path for path in sys.path if path != HERE),
    HERE,
]  # kafka.py must not hide kafka-python


def flags(summary: str) -> argparse.Namespace:
    """The flags of the command line: ``quick`` and ``json``."""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, in under 45 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.parse_args()


def machine() -> dict[str, str | int | float]:
    """What the figures depend on: processor, cores, Python, and how busy the machine was already."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    """Its model where Linux tells it, else its architecture."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def report(
    name: str,
    before: Mapping[str, object],
    figures: Mapping[str, float],
    ratios: Mapping[str, float],
    as_json: bool,
) -> None:
    """Print the answer; ``before`` is the machine as it was when the benchmark began."""
    answer = {"name": name, "machine": before, "figures": figures, "ratios": ratios}
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
        return
    rows = {**before, **figures, **ratios}
    shown = (
        f"  {key:<40} {value:,}" if isinstance(value, int | float) else f"  {key:<40} {value}"
        for key, value in rows.items()
    )
    sys.stdout.write("\n".join([name, *shown]) + "\n")
