"""From the words of the command line to a draft that ``crosscurrent check`` accepts.

In:  sources (``epanet water.inp``, ``swmm:sewers.inp``), options.
Out: the text of a city model and its summary; a file is there whole or not at all.
"""

import importlib
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from schemas.city import Identifier, known_zone
from schemas.cityfile import lint_city
from simulator.importers.couplings import WITHIN_M, couple
from simulator.importers.draft import CantImport, DraftLink, Part, name_assets
from simulator.importers.kinds import expect
from simulator.importers.places import Origin, place
from simulator.importers.writing import city_yaml, summary

KINDS = ("epanet", "swmm", "opendss", "pandapower")
"""Kinds of files; each is read by the module of its name."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may say. See docs/cli.md."""

    city: str
    zone: str = "city"
    timezone: str | None = None
    origin: Origin | None = None
    scale: float | None = None
    """Metres of a drawing's unit."""
    couple_within: float = WITHIN_M
    """Metres."""
    utility: str | None = None

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Self:
        """Options as argparse gives them. Raises CantImport where a number makes no sense."""
        scale, within = words["scale"], words["couple_within"]
        if scale is not None and not (0 < scale < math.inf):
            raise CantImport(f"--scale {scale:g}: expected metres of a drawing's unit, a number above 0")
        if within is not None and not (0 <= within < math.inf):
            raise CantImport(f"--couple-within {within:g}: expected metres, 0 or more")
        return cls(
            city=_identifier("--city", words["city"]),
            zone=_identifier("--zone", words["zone"]),
            timezone=_timezone(words["timezone"]),
            origin=_origin(words["origin"]),
            scale=scale,
            couple_within=WITHIN_M if within is None else within,
            utility=words["utility"],
        )


def draft(
    sources: Sequence[str], options: Options, out: Path | None = None, *, replace: bool = False
) -> tuple[str, list[str]]:
    """The draft's text and its summary, line by line; where ``out`` is given the text is there too.

    Raises CantImport where a source can't be used, or ``out`` is there and may not be replaced; OSError.
    """
    if out is not None and out.exists() and not replace:
        raise CantImport(
            f"{out}: is there already, and may hold somebody's review; name another, or say --replace"
        )
    files = _kinds_and_files(sources)
    if out is not None and not out.absolute().parent.is_dir():
        raise CantImport(f"{out}: the folder {out.parent} is not there; make it, and import again")
    if out is not None and out.resolve() in {path.resolve() for _, path in files}:
        raise CantImport(f"{out}: this is one of the files to read; name another for the draft")
    parts = [_read(kind, path, options) for kind, path in files]
    name_assets(asset for part in parts for asset in part.assets)
    place(parts, options.origin, options.scale)
    guesses: list[DraftLink] = couple(parts, options.couple_within)
    text = city_yaml(options.city, options.timezone, options.zone, parts, guesses)
    _write(text, out)
    return text, list(summary(parts, guesses))


def _kinds_and_files(sources: Sequence[str]) -> list[tuple[str, Path]]:
    """``epanet a.inp b.inp swmm:c.inp`` as pairs: a kind holds for the files behind it."""
    found: list[tuple[str, Path]] = []
    current = ""
    for word in sources:
        kind, colon, name = word.partition(":")
        if word in KINDS:
            current = word
        elif colon and kind in KINDS and name:
            found.append((kind, Path(name)))
        elif current:
            found.append((current, Path(word)))
        else:
            raise CantImport(
                f"{word}: of which kind is it? Say KIND FILE... or KIND:FILE; KIND is {_or(KINDS)}"
            )
    if not found:
        raise CantImport(f"no file is named behind {current}; say {current} FILE...")
    return found


def _read(kind: str, path: Path, options: Options) -> Part:
    if path.is_dir():
        raise IsADirectoryError(21, "Is a directory; expected a model file", str(path))
    expect(path, kind)
    reader = importlib.import_module(f"simulator.importers.{kind}")
    more = {"utility": options.utility} if kind == "swmm" else {}
    part: Part = reader.read(path, **more)
    return part


def _write(text: str, out: Path | None) -> None:
    """Check the text as the file that it will be, and put it in its place in one step."""
    folder = tempfile.mkdtemp(prefix=".import-", dir=None if out is None else out.absolute().parent)
    fresh = Path(folder) / "city.yaml"
    try:
        fresh.write_text(text, encoding="utf-8")
        faults = lint_city(fresh).faults
        if faults:
            shown = "; ".join(dict.fromkeys(fault.message for fault in faults[:5]))
            raise CantImport(f"no draft was written, 'crosscurrent check' would refuse it: {shown}")
        if out is not None:
            os.replace(fresh, out)  # noqa: PTH105 - one step, whatever was there
    finally:
        fresh.unlink(missing_ok=True)
        Path(folder).rmdir()


def _identifier(option: str, text: str) -> str:
    try:
        return str(TypeAdapter(Identifier).validate_python(text))
    except ValidationError as error:
        form = "letters, digits, '.', '-', '_' only, and a letter or digit first"
        raise CantImport(f"{option} {text!r}: expected {form}; it stands in MQTT topics") from error


def _timezone(name: str | None) -> str | None:
    try:
        return None if name is None else known_zone(name)
    except ValueError as error:
        raise CantImport(f"--timezone: {error}") from error


def _origin(text: str | None) -> Origin | None:
    if text is None:
        return None
    try:
        earth, at, drawing = text.partition("@")
        latitude, longitude = _pair(earth)
        point = _pair(drawing) if at else None
    except ValueError:
        latitude = longitude = math.nan
        point = None
    if not (-89 <= latitude <= 89 and -180 <= longitude <= 180):
        raise CantImport(
            f"--origin {text}: expected latitude and longitude in degrees, such as 48.85,2.35, or with the "
            "point of the drawing that lies there, such as 48.85,2.35@1200,300"
        )
    return Origin(latitude, longitude, point)


def _pair(text: str) -> tuple[float, float]:
    one, other = (float(word) for word in text.split(","))
    if not (math.isfinite(one) and math.isfinite(other)):
        raise ValueError(text)
    return one, other


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
