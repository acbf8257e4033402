"""``crosscurrent archive ACTION ARCHIVE``: what was received, kept as Parquet by day and utility.

In:  an archive (a folder, or an address that fsspec knows); to add: recordings.
Out: what was done, a line each.
Exit status: 0; 1 ``verify`` found something wrong, or ``compact`` had to leave a day as it is.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner.moments import BadUsage

if TYPE_CHECKING:
    from runner.archive.place import Place

SUMMARY = "Keep what was received as Parquet by day and utility; list, verify, compact and trim it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, where, and with what."""
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=("add", "list", "verify", "compact", "trim"),
        help="add recordings; list what is there; verify it; compact each day; trim what is old",
    )
    parser.add_argument(
        "archive", metavar="ARCHIVE", help="a folder, or an address that fsspec knows (s3://..., with s3fs)"
    )
    parser.add_argument("recordings", metavar="RECORDING", nargs="*", type=Path, help="add: what to add")
    parser.add_argument(
        "--city",
        metavar="CITY",
        help="add: the city model (default: beside each recording); else a city's name, if there are several",
    )
    parser.add_argument(
        "--keep-days", metavar="N", type=int, help="trim: how many days stay, up to the newest"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; 0 or 1. Raises BadArchive, BadConfig, BadUsage or OSError."""
    from runner.extras import needs

    with needs("archive"):
        from runner.archive.manifests import only_city
        from runner.archive.place import Place
    if bool(args.recordings) != (args.action == "add"):
        raise BadUsage("name recordings with 'add', and with nothing else")
    if (args.keep_days is not None) != (args.action == "trim"):
        raise BadUsage("'trim' needs --keep-days, and nothing else takes it")
    place = Place(args.archive)
    if args.action == "add":
        return _add(place, args)
    city = args.city or only_city(place)
    return {"list": _list, "verify": _verify, "compact": _compact, "trim": _trim}[args.action](
        place, city, args
    )


def _add(place: "Place", args: argparse.Namespace) -> int:
    from runner.archive.manifests import sha256
    from runner.archive.writing import KeptModel, Writer, of_recording
    from schemas.cityfile import load_city

    for recording in args.recordings:
        path = Path(args.city) if args.city else recording.with_name("city.yaml")
        writer = Writer(place, KeptModel.of(load_city(path), path))
        source = f"recording {sha256(recording.read_bytes())}"

        def tell(line: int, what: str, recording: Path = recording) -> None:
            print(f"{recording}: line {line}: {what}", file=sys.stderr)

        rows = size = 0
        before = writer.reached(source)
        records = of_recording(recording, load_city(path), tell)
        for batch in writer.add(source, (one for one in records if one.upto > before)):
            rows += batch.numbers
            size += sum(file.bytes for file in batch.files)
        already = " more than there were" if before else ""
        print(f"{recording}: {rows:,} records{already}, {size:,} bytes{_each(size, rows)}")
    return 0


def _list(place: "Place", city: str, _args: argparse.Namespace) -> int:
    from runner.archive.keeping import held
    from runner.archive.manifests import Listed

    listed = Listed(place, city)
    for fault in listed.faults:
        print(fault, file=sys.stderr)
    everything = held(listed.manifests)
    for one in everything:
        others = f", {one.others:,} events or ticks" if one.others else ""
        each = _each(one.bytes, one.readings)
        there = f"{one.readings:,} readings{others}, {one.files} files, {one.bytes:,} bytes{each}"
        print(f"{one.day} {one.utility}: {there}")
    readings, size = sum(one.readings for one in everything), sum(one.bytes for one in everything)
    print(f"{city}: {readings:,} readings, {size:,} bytes{_each(size, readings)}")
    return 0


def _verify(place: "Place", city: str, _args: argparse.Namespace) -> int:
    from runner.archive.keeping import verify

    faults = list(verify(place, city))
    for fault in faults:
        print(fault)
    print(f"{city}: {len(faults)} faults" if faults else f"{city}: all is as it was written")
    return 1 if faults else 0


def _compact(place: "Place", city: str, _args: argparse.Namespace) -> int:
    from runner.archive.keeping import compact

    faults: list[str] = []
    for made in compact(place, city, faults.append):
        print(f"{made.day}: {len(made.replaces)} batches are one, of {made.numbers:,} records")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _trim(place: "Place", city: str, args: argparse.Namespace) -> int:
    from datetime import timedelta

    from runner.archive.keeping import trim
    from runner.archive.manifests import Listed

    if args.keep_days < 1:
        raise BadUsage(f"--keep-days {args.keep_days}: at least one day stays")
    days = [one.day for one in Listed(place, city).manifests]
    gone = trim(place, city, max(days) - timedelta(days=args.keep_days - 1)) if days else []
    print(f"{city}: {len(gone)} days removed{f', {gone[0]} to {gone[-1]}' if gone else ''}")
    return 0


def _each(size: int, rows: int) -> str:
    return f", {size / rows:.2f} a reading" if rows else ""
