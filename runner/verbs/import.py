# ruff: noqa: N999 - a verb's file bears the verb's name, and nobody imports this one by a statement
"""``crosscurrent import``: a draft of a city model from a utility's own model files.

In:  model files of EPANET, SWMM, OpenDSS and pandapower.
Out: a ``city.yaml`` for somebody to review; on stderr what was assumed and what was left out.
"""

import argparse
import sys
from pathlib import Path

SUMMARY = "Draft a city model from EPANET, SWMM, OpenDSS or pandapower files, for review."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files with their kinds, the city's name, and how to place and couple them."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="epanet, swmm, opendss or pandapower, followed by files; or KIND:FILE",
    )
    parser.add_argument(
        "--city", required=True, metavar="NAME", help="the city's name, as in its MQTT topics"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the draft goes (default: stdout)")
    parser.add_argument("--replace", action="store_true", help="write over --out if it is there")
    parser.add_argument(
        "--timezone", metavar="ZONE", help="IANA name (default: UTC, marked as to be changed)"
    )
    parser.add_argument(
        "--zone", default="city", metavar="NAME", help="the zone of assets without one (default: city)"
    )
    parser.add_argument(
        "--origin",
        metavar="LAT,LON[@X,Y]",
        help="where the lower left of the drawings lies, or their point X,Y (default: no positions, unless "
        "the coordinates are degrees)",
    )
    parser.add_argument(
        "--scale",
        type=float,
        metavar="METRES",
        help="metres of a drawing's unit (default: as the file says, or 1)",
    )
    parser.add_argument(
        "--couple-within",
        type=float,
        metavar="METRES",
        help="guess links between utilities up to this distance (default 150; 0: none)",
    )
    parser.add_argument(
        "--utility",
        choices=("storm", "sewage"),
        help="what SWMM files hold (default: sewage where [DWF] flows)",
    )


def run(args: argparse.Namespace) -> int:
    """Read, draft, check, write; 0. Raises CantImport (a CrosscurrentError) or OSError."""
    from simulator.importers.run import Options, draft

    text, summary = draft(args.sources, Options.of(vars(args)), args.out, replace=args.replace)
    print("\n".join(summary), file=sys.stderr)
    if args.out is None:
        sys.stdout.write(text)
    else:
        print(
            f"{args.out}: a draft for {args.city}, to be reviewed; docs/import.md tells how", file=sys.stderr
        )
    return 0
