"""What a replay reads, by what people name: a recording, an archive, a data folder or a Kafka; and what shall
be otherwise.

In:  ``Asked``.
Out: a model and an input for a core; or a source that brings its own thinking.
Raises CrosscurrentError where something can't be used, OSError where it can't be read.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paho.mqtt.client import topic_matches_sub

from runner.extras import needs
from runner.model import Model, load_model
from runner.moments import BadUsage
from runner.pastlog import FILE, FromLog
from runner.replay import Cutting, Input, Recorded, Source
from runner.whatif import Changed, WhatIf, removal
from schemas.alarms import AlarmChange
from schemas.readings import Frame
from streams.causes import Causes


@dataclass(frozen=True, slots=True)
class Asked:
    """What to replay. ``start`` and ``end`` are times of receipt in ms; None: no bound."""

    name: str
    city: Path | None = None
    start: int | None = None
    end: int | None = None
    topics: tuple[str, ...] = ()
    """MQTT topic filters, of which one must fit; none: all messages."""
    what: WhatIf = WhatIf()  # noqa: RUF009 - frozen
    called: str = ""
    """How people know it, where that is not its name."""

    @property
    def known_as(self) -> str:
        """What to tell people."""
        return self.called or self.name

    @property
    def is_kafka(self) -> bool:
        """Whether it is the address of a Kafka."""
        return self.name.startswith(("kafka://", "kafkas://"))

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive: a folder, or any other address."""
        return not self.is_kafka and not self.is_log and ("://" in self.name or Path(self.name).is_dir())

    @property
    def is_log(self) -> bool:
        """Whether it is the data folder of ``up``."""
        return not self.is_kafka and (Path(self.name) / FILE).is_file()

    @property
    def city_file(self) -> Path:
        """The city model. Raises BadUsage where none is named."""
        if self.city is None:
            raise BadUsage("name the city model with --city; only an archive keeps its own")
        return self.city


class Opened(NamedTuple):
    """What a core needs."""

    model: Model
    source: Input
    never: Callable[[AlarmChange], bool] | None
    """Tells alarms that shall be as if they never were."""


def opened(asked: Asked, *, fine: bool = False, blocks: bool = False) -> Opened:
    """A recording, an archive, a log, or what a Kafka holds, that as one log.

    ``fine``: a frame is what came at one moment; else ``blocks``: readings may come in blocks, where that is
    quicker.
    """
    cutting: Cutting = "blocks" if blocks and not asked.what.words() else "frames"
    if fine or asked.what.delays:
        cutting = "fine"
    if asked.is_log:
        model, source = _logged(asked)
    elif asked.is_kafka:
        model, source = _merged(asked)
    else:
        model, source = _archived(asked, cutting) if asked.is_archive else _recorded(asked, cutting)
    if not asked.what.words():
        return Opened(model, source, None)
    removed = removal(asked.what, model.city)
    model = asked.what.model(model)
    return Opened(model, Changed(source, asked.what, model.city, removed), removed.takes_change)


def _merged(asked: Asked) -> tuple[Model, Input]:
    with needs("kafka"):
        from runner.kafka.merging import KafkaLog
        from runner.kafka.settings import kafka_settings
    if asked.topics:
        raise BadUsage("--topics chooses messages of a recording; a Kafka has --zone and --utility")
    model = load_model(asked.city_file)
    return model, KafkaLog(model.city, kafka_settings(asked.name, os.environ), asked.start, asked.end)


def _archived(asked: Asked, cutting: Cutting) -> tuple[Model, Input]:
    with needs("archive"):
        from runner.archive.reading import Range
        from runner.archive.replaying import Archived
    if asked.topics:
        raise BadUsage("--topics chooses messages of a recording; an archive has --zone and --utility")
    wanted = Range(asked.start, asked.end, frozenset(asked.what.utilities) or None)
    source = Archived(asked.name, wanted, asked.city, cutting, asked.called)
    return source.model, source


def _logged(asked: Asked) -> tuple[Model, Input]:
    if asked.topics:
        raise BadUsage("--topics chooses messages of a recording; a data folder keeps no topics")
    model = load_model(asked.city_file)
    return model, FromLog(Path(asked.name), asked.start, asked.end)


def _recorded(asked: Asked, cutting: Cutting) -> tuple[Model, Input]:
    def fits(topic: str) -> bool:
        return any(topic_matches_sub(one, topic) for one in asked.topics)

    model = load_model(asked.city_file)
    topic, fine = fits if asked.topics else None, cutting == "fine"
    return model, Recorded(Path(asked.name), model.city, asked.start, asked.end, topic=topic, fine=fine)


def on_kafka(asked: Asked, causes: Causes) -> Source:
    """What a Kafka holds of the city."""
    with needs("kafka"):
        from runner.kafka.replaying import KafkaSource
        from runner.kafka.settings import kafka_settings
    settings = kafka_settings(asked.name, os.environ)
    city, vocabulary, policy = load_model(asked.city_file)
    return KafkaSource(city, vocabulary, causes, settings, asked.start, asked.end, policy=policy)


def frames(asked: Asked) -> Iterator[Frame]:
    """The readings of what is replayed."""
    if not asked.is_kafka:
        return (record for record in opened(asked).source.records() if isinstance(record, Frame))
    with needs("kafka"):
        from runner.kafka.replaying import frames_on
        from runner.kafka.settings import kafka_settings
    settings = kafka_settings(asked.name, os.environ)
    return frames_on(settings, load_model(asked.city_file).city.city, asked.start, asked.end)
