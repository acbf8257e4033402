"""The pages about simulated days agree with the code: who changes a number there changes it here too."""

import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from schemas.city import Relation

ROOT = Path(__file__).parents[2]
PAGE, CARD = ROOT / "docs" / "simulation.md", ROOT / "docs" / "data-card.md"
CODE = re.compile(r"`([^`]+)`")
VALUE = re.compile(r"`(\w+)` ([^,`]+)")
PLACE = {"asset", "gateway"}
WINDOW = {"from", "until"}

Row = list[str]
Fields = dict[str, str | None]
"""Fields of a model: the default as a page writes it, or None where there is none to write."""


def part(name: str) -> ModuleType:
    """A module of the simulator; skipped where an engine has no build for this Python."""
    module: ModuleType = pytest.importorskip(f"simulator.{name}")
    return module


def rows(page: Path, heading: str) -> list[Row]:
    """The cells of the first table below a heading, without its head."""
    after = re.split(rf"^#+ {re.escape(heading)}$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    found = re.search(r"(?:^\|.*\|\n)+", after, re.MULTILINE)
    assert found, f"no table below {heading!r}"
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in found[0].splitlines()[2:]]


def bare(cell: str) -> str:
    """A cell without code marks."""
    return cell.strip("`")


def number(cell: str) -> float:
    """The number that a cell begins with; of a default without unit, too."""
    return float(cell.split(maxsplit=1)[0])


def told(cell: str) -> Fields:
    """The fields that a cell names, each with the first word of its default."""
    defaults = {name: text.split()[0] for name, text in VALUE.findall(cell)}
    return {name: defaults.get(name) for name in CODE.findall(cell)}


def plain(value: object) -> str | None:
    """A default as a page writes it; None for what takes a sentence or is nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    return value if isinstance(value, str) else None


def fields(model: type[BaseModel]) -> Fields:
    """The fields of a model by the names that files use."""
    return {
        field.alias or name: None if field.is_required() else plain(field.default)
        for name, field in model.model_fields.items()
    }


def model_in(annotation: object) -> type[BaseModel] | None:
    """The model of ours that a field holds: one, many, or by asset."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (model_in(inner) for inner in get_args(annotation))
    return next((one for one in found if one is not None), None)


def test_every_kind_of_injection_is_told_as_it_is() -> None:
    """The table has each kind once, with its places, sizes, usual length and the rain that it needs."""
    trouble = part("trouble")
    page = {
        bare(kind): (
            where,
            {size: float(value or "nan") for size, value in told(sizes).items()},
            number(hours),
            0.0 if rain == "no" else number(rain),
        )
        for kind, where, sizes, hours, rain, _ in rows(PAGE, "Kinds of injections")
    }

    assert page == {
        name: (", ".join(kind.on) or "any with a sensor", dict(kind.sizes), kind.hours, kind.wants_rain)
        for name, kind in trouble.KINDS.items()
    }


def test_kinds_that_are_no_causes_stand_last() -> None:
    """The page's order of natures is so: the process, then switching as everyday life, then the measuring."""
    names = [bare(row[0]) for row in rows(PAGE, "Kinds of injections")]
    natures = [part("trouble").KINDS[name].nature for name in names]
    everyday = names.index("switching")

    assert natures == [
        *["process"] * everyday,
        "everyday",
        *["measuring"] * (len(names) - everyday - 1),
    ]


def test_every_stream_fault_is_told_with_its_fields() -> None:
    """The table has each stream fault with the fields of an entry and their defaults."""
    model = part("streamfaults").StreamFaults
    page: dict[str, Fields] = {}
    for name, entry, _ in rows(PAGE, "Stream faults"):
        extra = (PLACE if "place" in entry else set()) | (WINDOW if "window" in entry else set())
        page[bare(name)] = {**dict.fromkeys(extra), **told(entry)}

    code = {name: model_in(field.annotation) for name, field in model.model_fields.items()}
    assert page == {name: fields(entry) for name, entry in code.items() if entry is not None}


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Fields of a scenario", "Scenario"),
        ("Fields of an injection", "Injection"),
        ("Fields of a planned work", "Work"),
        ("Fields of a shower", "Shower"),
    ],
)
def test_every_field_of_a_scenario_is_told(heading: str, name: str) -> None:
    """Each part of a scenario file: its fields, which are required, and plain defaults."""
    model: type[BaseModel] = getattr(part("scenario"), name)
    page = {bare(field): default for field, default, _ in rows(PAGE, heading)}

    assert list(page) == list(fields(model))
    assert {field for field, default in page.items() if default == "required"} == {
        field for field, info in model.model_fields.items() if info.is_required()
    }
    assert {field: page[field] for field, default in fields(model).items() if default} == {
        field: default for field, default in fields(model).items() if default
    }


def test_every_section_of_the_physics_is_told() -> None:
    """The table has each section of physics.yaml with the fields of its entries and their defaults."""
    model = part("physics").Physics
    page = {bare(name): told(entry) for name, entry, _ in rows(PAGE, "Sections of physics.yaml")}

    assert list(page) == list(model.model_fields)
    for name, field in model.model_fields.items():
        if entry := model_in(field.annotation):
            assert list(page[name]) == list(entry.model_fields), name
            code = {one: default for one, default in fields(entry).items() if default}
            assert {one: page[name][one] for one in code} == code, name


def test_the_links_that_the_run_follows_are_told() -> None:
    """What acts on what is said for each relation that the simulator reads, and for no other."""
    read = {
        name.lower()
        for file in ("run.py", "sensors.py")
        for name in re.findall(
            r"Relation\.([A-Z_]+)", (ROOT / "simulator" / file).read_text(encoding="utf-8")
        )
    }
    through = {name for row in rows(PAGE, "What acts on what") for name in CODE.findall(row[0])}
    relations = {relation.value for relation in Relation}

    assert through & relations == read


def test_tolerances_and_noise_are_those_of_the_code() -> None:
    """The data card has each quantity with its tolerance, what can be observed of it, noise and digits."""
    truth, noise = part("truth"), part("sensors").NOISE
    page = {
        bare(quantity): (tolerance, observable, float(sigma), int(digits))
        for quantity, _, tolerance, observable, sigma, digits in rows(CARD, "Tolerances and noise")
    }

    code = {}
    for quantity, (sigma, digits) in noise.items():
        tolerance = truth.TOLERANCE.get(quantity)
        observable = tolerance and truth.OBSERVABLE * max(sigma, tolerance / 20)
        code[quantity] = (plain(tolerance) or "", plain(observable) or "", sigma, digits)
    assert page == code


@pytest.mark.parametrize(
    "row",
    [*rows(CARD, "Numbers with a name"), *rows(CARD, "How labels are found")],
    ids=lambda row: CODE.findall(row[2])[1],
)
def test_numbers_of_the_data_card_are_those_of_the_code(row: Row) -> None:
    """Each number that the card names with a file and a name is there, and is that number."""
    file, name = CODE.findall(row[2])
    module = part(Path(file).stem)
    owner, _, field = name.partition(".")
    value: Any = getattr(module, owner)
    if field:
        value = value.model_fields[field].default

    if row[1] == "table":
        assert value
    else:
        assert float(row[1]) == value


def test_what_drawn_days_have_is_told() -> None:
    """The shares of quiet days, days with two causes, faults of sensors and bad networks."""
    drawing = part("drawing")
    shares = {bare(name): share.split("/") for _, share, name in rows(CARD, "What is in them")}

    assert {name: int(part) / int(whole) for name, (part, whole) in shares.items()} == {
        name: getattr(drawing, name) for name in ("QUIET", "DOUBLE", "SPOILT", "BAD_NETWORK")
    }


def test_numbers_without_a_name_are_where_the_card_says() -> None:
    """Each file and function that the card names for a bare number is there."""
    for _, where in rows(CARD, "Numbers without a name"):
        for file, name in re.findall(r"`simulator/(\w+)\.py` `(\w+)`", where):
            text = (ROOT / "simulator" / f"{file}.py").read_text(encoding="utf-8")
            assert f"def {name}(" in text, (file, name)


def test_the_versions_of_the_engines_are_those_that_we_test_with() -> None:
    """The card names the engines' versions that are installed, so that an upgrade is told there."""
    names = {"owa-epanet": "epanet", "swmm-toolkit": "swmm.toolkit", "opendssdirect.py": "opendssdirect"}
    text = CARD.read_text(encoding="utf-8")

    for name, module in names.items():
        pytest.importorskip(module)
        assert f"{name} {version(name)}" in text, name


def test_the_page_shows_a_scenario_that_is_right(tmp_path: Path) -> None:
    """The example of the page is read, held against Riverton, and found without fault."""
    found = re.search(r"```yaml\n(scenario: .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "no example on the page"
    file = tmp_path / "my-day.yaml"
    file.write_text(found[1], encoding="utf-8")

    town, scenario = part("cities").open_scenario(file)

    assert (town.name, len(scenario.injections)) == ("riverton", 3)


def test_each_error_of_the_page_is_said_by_the_code() -> None:
    """The fixed words of every error in the page's table stand in the code."""
    code = "".join(
        file.read_text(encoding="utf-8")
        for folder in ("simulator", "runner")
        for file in sorted((ROOT / folder).rglob("*.py"))
    )
    fixed = [
        "there is no kind of injection",
        "the city has no asset",
        "happens to a",
        "has no size",
        "is no length of time; write it as 45m, 5h or 2d",
        "is after the end of the scenario",
        "only a storm has a hyetograph",
        "a storm has either a hyetograph or",
        "a shower has either peak_mm_per_h (and minutes), or a hyetograph",
        "has an element for",
        "there is no simulated city",
        "and no scenario of that name is shipped",
        "which a plain install leaves out",
        "EPANET refuses",
        "SWMM refuses",
        "OpenDSS refuses",
        "EPANET can't solve",
        "SWMM lost",
        "OpenDSS finds no solution",
    ]
    page = " ".join(row[0] for row in rows(PAGE, "Errors and what to do"))

    assert [words for words in fixed if words not in page or words not in code] == []


def test_drawn_sizes_are_sizes() -> None:
    """Each size that drawing has a range for is one of some kind: a renamed size takes its range along."""
    sizes = {size for kind in part("trouble").KINDS.values() for size in kind.sizes}

    assert set(part("drawing").RANGES) <= sizes
