"""``crosscurrent influx``: an InfluxDB made ready for the operators' room.

In:  an InfluxDB, the token of somebody who may do all there.
Out: buckets, downsampling tasks, a token that may only write and one that may only read, each in a file.
"""

import argparse
import os
import sys
from pathlib import Path

SUMMARY = "Make an InfluxDB ready: buckets, downsampling, tokens with least rights."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and where."""
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=("setup", "downsample"),
        help="setup, or downsample (five-minute windows of a time long past)",
    )
    parser.add_argument("--influx", metavar="URL", help="http://HOST[:PORT] or https://...")
    parser.add_argument(
        "--admin-token-file", metavar="FILE", type=Path, help="the token of somebody who may do all"
    )
    parser.add_argument(
        "--token-file", metavar="FILE", type=Path, help="setup: where the token goes that may only write"
    )
    parser.add_argument(
        "--read-token-file", metavar="FILE", type=Path, help="setup: where the one goes that may only read"
    )
    parser.add_argument(
        "--raw-days", metavar="DAYS", type=int, default=30, help="setup: how long readings are kept (30)"
    )
    parser.add_argument(
        "--days", metavar="DAYS", type=int, default=730, help="setup: how long all else is kept (730)"
    )
    parser.add_argument("--from", dest="start", metavar="TIME", help="downsample: from when (RFC 3339)")
    parser.add_argument("--to", dest="end", metavar="TIME", help="downsample: to when")


def run(args: argparse.Namespace) -> int:
    """Do it; 0. Raises BadConfig, BadUsage, InfluxFailed, ExtraMissing."""
    from runner.extras import needs
    from runner.moments import BadUsage, moment

    with needs("influx"):
        from runner.influx.settings import influx_settings
        from runner.influx.setup import READER, WRITER, Setup
        from runner.influx.writer import WRITTEN
        from schemas.points import BUCKETS, RAW

    settings = influx_settings(args.influx, args.admin_token_file, os.environ, timeout_seconds=600)
    start, end = moment(args.start), moment(args.end)
    if args.action == "downsample" and (start is None or end is None):
        raise BadUsage("'influx downsample' needs --from and --to")
    if min(args.raw_days, args.days) < 0:
        raise BadUsage("--raw-days and --days are days to keep, or 0 for ever")
    setup = Setup(settings)
    try:
        if start is not None and end is not None:
            setup.downsample(start, end)
        else:
            setup.buckets({one.name: args.raw_days if one is RAW else args.days for one in BUCKETS})
            setup.tasks()
            if args.token_file:
                setup.token(WRITER, "write", tuple(one.name for one in WRITTEN), args.token_file)
            if args.read_token_file:
                setup.token(READER, "read", tuple(one.name for one in BUCKETS), args.read_token_file)
    finally:
        setup.close()
    sys.stdout.write("\n".join(setup.said or ["nothing to do"]) + "\n")
    return 0
