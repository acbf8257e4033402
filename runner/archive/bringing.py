"""What a Kafka holds, into an archive.

In:  the address of a Kafka, between two times; an archive.
Out: the batches that were added.
Promises: bringing it again adds what has come since, and nothing twice.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from runner.archive.manifests import Manifest
from runner.archive.place import Place
from runner.archive.writing import KeptModel, Writer, of_kafka
from runner.moments import BadUsage
from runner.replay import Input
from runner.sources import Asked, opened
from schemas.times import rfc3339


class Brought(NamedTuple):
    """What is being added; read ``batches`` to their end."""

    source: Input
    before: int
    """Records that the archive had of it already; 0: none."""
    batches: Iterator[Manifest]


def bring(place: Place, asked: Asked) -> Brought:
    """What a Kafka holds. Raises BadUsage where that is nothing, or where the archive has something of these
    times from elsewhere; KafkaFailed.
    """
    model, source, _ = opened(asked)
    writer = Writer(place, KeptModel.of(model.city, asked.city_file))
    records = of_kafka(source.records())
    if (first := next(records, None)) is None:
        raise BadUsage(source.nothing())
    name = f"kafka {source.name} since {first.received}"
    if other := writer.others(name, first.received):
        raise BadUsage(
            f"{place.address} holds something up to {rfc3339(other.end)} already, from {other.source}; "
            "nothing was added; add what came later with --from"
        )
    before = writer.reached(name)
    new = (one for one in chain([first], records) if one.upto > before)
    return Brought(source, before, writer.add(name, new, told=True))
