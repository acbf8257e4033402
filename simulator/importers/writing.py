"""A draft as the text of a city model: what it is, what is missing in it, then one line for each part."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from simulator.importers.couplings import unpowered
from simulator.importers.draft import DraftAsset, DraftLink, Part, counted, tidy

INTRODUCTION = """\
A draft, made by 'crosscurrent import' from the model files below: review it before anybody relies on it.
Still to come from people: zones, sensors with their limits, names, and everything that no model file holds
(roads, signals, bins, gateways). 'crosscurrent check' finds mistakes of form. Links with 'guessed: true'
were guessed: delete what is wrong, and the property where it is right."""


def city_yaml(
    city: str, timezone: str | None, zone: str, parts: Sequence[Part], guesses: Sequence[DraftLink]
) -> str:
    """The whole file. Without a ``timezone`` it says UTC, and that this is to be changed."""
    lines = [f"# {line}" for line in INTRODUCTION.splitlines()]
    lines += ["#", *(f"# {line}" for line in summary(parts, guesses))]
    lines.append(f"city: {_flow(city)}")
    unknown = "  # no model file tells it: write the city's own, such as Europe/Paris"
    lines.append(f"timezone: {timezone}" if timezone else f"timezone: UTC{unknown}")
    lines.append("assets:")
    for part in parts:
        lines.append(f"  # {_plain(Path(part.file).name)}")
        lines += [f"  - {_flow(_asset(asset, zone))}" for asset in part.assets]
    if guesses or any(part.links for part in parts):
        lines.append("links:")
    for part in parts:
        if part.links:
            lines.append(f"  # {_plain(Path(part.file).name)}")
            lines += _links(part.links)
    if guesses:
        lines.append("  # between the files: guesses, to be reviewed")
        lines += _links(guesses)
    return "\n".join(lines) + "\n"


def summary(parts: Sequence[Part], guesses: Sequence[DraftLink]) -> Iterator[str]:
    """What each file gave, what was assumed and what was left out: a line each."""
    for part in parts:
        counts = f"{counted(len(part.assets), 'asset')}, {counted(len(part.links), 'link')}"
        yield f"{_plain(Path(part.file).name)} ({part.format}): {counts}"
        yield from (f"  note: {_plain(note)}" for note in part.notes)
        yield from (f"  left out: {_plain(text)}" for text in part.left_out)
    if len(parts) > 1:
        count = counted(len(guesses), "link")
        yield (
            f"between the files: {count} guessed, to be reviewed"
            if guesses
            else "between the files: nothing guessed"
        )
        dark = [asset.id for asset in unpowered(parts, guesses)]
        if dark:
            some = ", ".join([*dark[:5], *(["..."] if len(dark) > 5 else [])])
            yield f"  note: nothing was found that powers these pumps and works: {len(dark)} ({some})"


def _asset(asset: DraftAsset, zone: str) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": asset.id,
        "utility": asset.utility.value,
        "kind": asset.kind,
        "zone": asset.zone or zone,
    }
    if asset.position is not None:
        fields["position"] = list(asset.position)
    if _said_otherwise(asset):
        fields["name"] = asset.name
    if asset.properties:
        fields["properties"] = _properties(asset.properties)
    return fields


def _said_otherwise(asset: DraftAsset) -> bool:
    """Whether the model's name has letters that an id can't have; a derived asset has no name of its own."""
    return not asset.derived and re.sub(r"[A-Za-z0-9._-]", "", asset.name) != "" and asset.name.isprintable()


def _links(links: Iterable[DraftLink]) -> Iterator[str]:
    for link in links:
        fields: dict[str, object] = {
            "from": link.source.id,
            "to": link.target.id,
            "relation": link.relation.value,
        }
        if link.properties:
            fields["properties"] = _properties(link.properties)
        yield f"  - {_flow(fields)}" + (f"  # {_plain(link.comment)}" if link.comment else "")


def _properties(values: dict[str, float | str | bool]) -> dict[str, object]:
    return {
        name: tidy(value) if isinstance(value, float | int) and not isinstance(value, bool) else value
        for name, value in values.items()
    }


def _flow(value: object) -> str:
    """YAML on one line, with quotes only where it needs them."""
    text: str = yaml.dump(
        value,
        Dumper=yaml.CSafeDumper,
        default_flow_style=True,
        sort_keys=False,
        width=1_000_000,
        allow_unicode=True,
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(text: str) -> str:
    """Text that can't leave the comment that it stands in."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
