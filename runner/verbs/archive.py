"""``crosscurrent archive ACTION ARCHIVE``: what was received, kept as Parquet by day and utility.

In:  an archive (a folder, or an address that fsspec knows); to add: recordings, or what a Kafka holds.
Out: what was done, a line each.
Exit status: 0; 1 ``verify`` found something wrong, or ``compact`` had to leave a day as it is.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.moments import BadUsage, moment

if TYPE_CHECKING:
    from runner.archive.manifests import Manifest
    from runner.archive.place import Place
    from runner.sources import Asked

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
        "archive", metavar="ARCHIVE", help="a folder, or an address that fsspec knows, such as s3://..."
    )
    parser.add_argument(
        "recordings",
        metavar="RECORDING",
        nargs="*",
        help="add: what to add; or the readings of a Kafka, kafka://[USER@]HOST[:PORT][,...]",
    )
    parser.add_argument(
        "--from", dest="start", metavar="TIME", help="of a Kafka: only what was written since"
    )
    parser.add_argument("--to", dest="end", metavar="TIME", help="of a Kafka: only what was written before")
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
        raise BadUsage("name recordings, or a Kafka, with 'add', and with nothing else")
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
    from runner.sources import Asked

    for name in args.recordings:
        asked = Asked(name, Path(args.city) if args.city else None, moment(args.start), moment(args.end))
        if asked.is_kafka:
            _add_kafka(place, asked)
        elif asked.start is not None or asked.end is not None:
            raise BadUsage(f"{name}: --from and --to choose from a Kafka; a recording is added whole")
        else:
            _add_recording(place, Path(name), asked.city)
    return 0


def _add_recording(place: "Place", recording: Path, city: Path | None) -> None:
    from runner.archive.manifests import sha256
    from runner.archive.writing import KeptModel, Writer, of_recording
    from schemas.cityfile import load_city

    path = city or recording.with_name("city.yaml")
    writer = Writer(place, KeptModel.of(load_city(path), path))
    source = f"recording {sha256(recording.read_bytes())}"

    def tell(line: int, what: str) -> None:
        print(f"{recording}: line {line}: {what}", file=sys.stderr)

    before = writer.reached(source)
    records = of_recording(recording, load_city(path), tell)
    batches = writer.add(source, (one for one in records if one.upto > before))
    print(f"{recording}: {_added(batches, before)}")


def _add_kafka(place: "Place", asked: "Asked") -> None:
    """What a Kafka holds. Raises BadUsage where the archive has something of these times from elsewhere."""
    from runner.archive.bringing import bring

    source, before, batches = bring(place, asked)
    print(f"{source.name}: {_added(batches, before)}")
    for fault in source.counts()["first_broken_records"]:
        print(f"{source.name}: {fault}", file=sys.stderr)


def _added(batches: "Iterator[Manifest]", before: int) -> str:
    rows = size = 0
    for batch in batches:
        rows += batch.numbers
        size += sum(file.bytes for file in batch.files)
    already = " more than there were" if before else ""
    return f"{rows:,} records{already}, {size:,} bytes{_each(size, rows)}"


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
