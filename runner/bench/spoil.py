"""Days made worse on purpose: a city model with wrong links, messages as a bad network delivers them.

In:  a city model or a recording, and a seed.
Out: files with the same contents but for that.
Promises: the same seed spoils the same things, byte for byte. Truth stays what it was.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from collectors.messages import Message
from collectors.recording import line_of, read
from runner.extras import needs
from runner.labels import BadInput
from schemas.cityfile import load_city

REWIRED = 0.5
TRIES = 100
"""Draws of another end for a link, before it is removed after all."""


@dataclass(frozen=True, slots=True)
class Spoil:
    """What is to be made worse."""

    wrong_links: float = 0.0
    """Share of the model's links: half of them are removed, half lead to another asset of the same kind."""
    bad_network: bool = False
    """Whether messages come late, twice, out of order or not at all, as on the suites' bad days."""

    @property
    def words(self) -> str:
        """For people and folder names; empty where nothing is spoilt."""
        links = [f"{100 * self.wrong_links:g}% wrong links"] if self.wrong_links else []
        return ", ".join([*links, *(["bad network"] if self.bad_network else [])])


def spoilt_city(city: Path, share: float, seed: str) -> str:
    """The text of a city model in which this share of the links is wrong. Raises BadConfig for a bad one."""
    model = load_city(city)
    throw = Random(seed)  # noqa: S311 - which links are wrong is no secret
    kinds: dict[str, list[str]] = {}
    for asset in model.assets:
        kinds.setdefault(asset.kind, []).append(asset.id)
    there = {(link.source, link.target, link.relation) for link in model.links}
    wrong = set(throw.sample(range(len(model.links)), round(share * len(model.links))))
    links = []
    for number, link in enumerate(model.links):
        if number not in wrong:
            links.append(link)
        elif throw.random() < REWIRED:
            for _ in range(TRIES):
                other = throw.choice(kinds[model.asset_by_id[link.target].kind])
                if other != link.source and (link.source, other, link.relation) not in there:
                    there.add((link.source, other, link.relation))
                    links.append(link.model_copy(update={"target": other}))
                    break
    whole = model.model_copy(update={"links": tuple(links)})
    return whole.model_dump_json(by_alias=True, exclude_defaults=True)


def spoilt_recording(recording: Path, seed: int) -> Iterator[bytes]:
    """The lines of a recording as a bad network delivers them.

    Raises BadInput where the recording has faults of its own: they would be lost silently.
    """
    with needs("simulate"):
        from simulator.drawing import BAD_NETWORK_FAULTS
        from simulator.streamfaults import Sent, StreamFaults, apply

    def refuse(line: int, why: str) -> None:
        raise BadInput(f"{recording}:{line}: {why}; a bad network is laid over whole recordings only")

    sent = [Sent(one.received, one.topic, json.loads(one.payload)) for one in read(recording, refuse)]
    faults = StreamFaults.model_validate(BAD_NETWORK_FAULTS)
    kept, _ = apply(sent, faults, seed, {}, sent[0].received if sent else 0)
    for one in kept:
        yield line_of(Message(one.received, one.topic, json.dumps(one.payload).encode()))
