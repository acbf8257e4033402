"""Model files of utilities become drafts: every case is a folder, input beside what must come out."""

import importlib.util
import json
import math
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.cli import main
from schemas.city import City, Utility
from schemas.cityfile import load_city
from simulator.importers.draft import CantImport, DraftAsset, name_assets
from simulator.importers.run import Options
from simulator.importers.run import draft as importing

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "import"
CASES = sorted(GOLDEN.iterdir())
ENGINES = {"epanet": "epanet", "opendss": "opendssdirect"}


def needs_its_engine(arguments: Sequence[str]) -> None:
    """Skip the test where its engine is not installed (EPANET has no wheels for Python 3.13)."""
    for kind, package in ENGINES.items():
        if any(word.startswith(kind) for word in arguments) and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def draft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``crosscurrent import ...`` in a folder; skipped where its engine is not installed."""
    needs_its_engine(arguments)
    return subprocess.run(
        [sys.executable, str(ROOT / "crosscurrent.py"), "import", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


Refuse = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refuse:
    """What an import in the test's folder says when it can't: in one line, with status 2, and no draft."""
    monkeypatch.chdir(tmp_path)

    def refused(*arguments: str) -> str:
        needs_its_engine(arguments)
        status = main(["import", *arguments])
        said = capfd.readouterr()
        assert (status, said.out) == (2, "")
        assert said.err.startswith("crosscurrent import: ")
        assert said.err.count("\n") == 1, said.err
        return said.err.removeprefix("crosscurrent import: ").removesuffix("\n")

    return refused


def city_of(folder: Path, *arguments: str) -> City:
    """The draft as a city model, without faults."""
    done = draft(folder, *arguments, "--out", "draft.yaml")
    assert done.returncode == 0, done.stderr
    return load_city(folder / "draft.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_model_file_becomes_this_draft(case: Path) -> None:
    """A new case is a new folder: model files, arguments.txt, and what must come out: city.yaml, said.txt."""
    done = draft(case, *shlex.split((case / "arguments.txt").read_text()))

    assert done.returncode == 0, done.stderr
    assert done.stdout == (case / "city.yaml").read_text(encoding="utf-8")
    assert done.stderr == (case / "said.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_draft_says_at_its_head_what_was_left_out(case: Path) -> None:
    """Whoever opens the file next year sees what the terminal said; and check finds no fault in it."""
    text = (case / "city.yaml").read_text(encoding="utf-8")
    load_city(case / "city.yaml")

    head = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]
    assert "\n".join(head).endswith((case / "said.txt").read_text(encoding="utf-8").strip())


def test_storm_and_sewage_are_told_apart_by_dry_weather_flow(tmp_path: Path) -> None:
    """Two networks in one file: where waste water enters it is a sewer; --utility overrules."""
    inp = GOLDEN / "swmm-storm-and-sewage" / "sewers.inp"

    city = city_of(tmp_path, f"swmm:{inp}", "--city", "x")
    assert {a.id for a in city.assets if a.utility == "sewage"} == {
        *("S0", "S1", "S2", "S3", "wet", "lift", "plant", "spill")
    }
    kinds = {asset.id: asset.kind for asset in city.assets}
    assert (kinds["wet"], kinds["plant"], kinds["spill"], kinds["creek"]) == (
        *("wet_well", "treatment_works", "overflow", "outfall"),
    )

    city = city_of(tmp_path, f"swmm:{inp}", "--city", "x", "--utility", "storm", "--replace")
    assert {asset.utility.value for asset in city.assets} == {"storm"}
    assert {asset.id: asset.kind for asset in city.assets}["wet"] == "sump"


def test_utilities_are_coupled_by_name_and_by_distance(tmp_path: Path) -> None:
    """A load called like the pump is its feeder's; else the nearest; --couple-within 0 guesses nothing."""
    case = GOLDEN / "three-utilities"
    files = [f"epanet:{case / 'water.inp'}", f"swmm:{case / 'sewers.inp'}", f"opendss:{case / 'power.dss'}"]

    def guesses(*more: str) -> set[tuple[str, str, str]]:
        city = city_of(tmp_path, *files, "--city", "x", "--replace", *more)
        guessed = [link for link in city.links if link.properties.get("guessed")]
        return {(link.source, link.relation.value, link.target) for link in guessed}

    near = {("street_1", "near", "inlet_1"), ("street_2", "near", "drain_2")}
    booster = ("feeder-north", "powers", "Booster")
    assert guesses("--couple-within", "35") == {booster, *near}
    assert guesses() == {
        *(booster, *near),
        ("feeder-south", "powers", "Lift"),
        ("drain_2", "near", "substation-station"),
    }
    assert ("feeder-south", "powers", "plant") in guesses("--couple-within", "300")
    assert guesses("--couple-within", "0") == set()


def test_a_guess_tells_what_was_nearly_as_near(tmp_path: Path) -> None:
    """Two feeders in one street: the draft takes the nearer, and says who is next and how far."""
    case = GOLDEN / "three-utilities"
    files = [f"swmm:{case / 'sewers.inp'}", f"opendss:{case / 'power.dss'}"]

    done = draft(tmp_path, *files, "--city", "x", "--couple-within", "400")

    (line,) = [line for line in done.stdout.splitlines() if "to: Lift, relation: powers" in line]
    assert line.endswith("# guessed: 39 m; the next is substation-station at 278 m")


def test_without_an_origin_a_drawing_has_no_positions_and_no_guesses_by_distance(tmp_path: Path) -> None:
    """Where a drawing lies on Earth is not in it; --origin and --scale tell."""
    inp = f"epanet:{GOLDEN / 'epanet-us-units' / 'water.inp'}"
    city = city_of(tmp_path, inp, "--city", "x")
    assert {asset.position for asset in city.assets} == {None}

    city = city_of(tmp_path, inp, "--city", "x", "--origin=-33.9,18.4", "--scale", "10", "--replace")
    places = {asset.id: asset.position for asset in city.assets}
    river, tank = places["river"], places["hill"]
    assert river is not None
    assert tank is not None
    assert river[1] == 18.4
    assert river[0] == pytest.approx(-33.9 + 300 * 10 / 111_195, abs=1e-6)
    assert tank[0] - river[0] == pytest.approx(300 * 10 / 111_195, abs=2e-6)
    assert tank[1] - river[1] == pytest.approx(600 * 10 / 111_195 / math.cos(math.radians(33.9)), abs=2e-6)

    city = city_of(tmp_path, inp, "--city", "x", "--origin", "52.1,4.3@600,300", "--replace")
    assert {asset.id: asset.position for asset in city.assets}["hill"] == (52.1, 4.3)


def test_an_older_pandapower_kept_coordinates_in_a_table(tmp_path: Path) -> None:
    """Version 2 wrote bus_geodata; the same network gives the same draft."""
    new = GOLDEN / "pandapower-town" / "town.json"
    data = json.loads(new.read_text())
    buses = json.loads(data["_object"]["bus"]["_object"])
    column = buses["columns"].index("geo")
    places = [json.loads(row[column])["coordinates"] for row in buses["data"]]
    for row in buses["data"]:
        del row[column]
    del buses["columns"][column]
    data["_object"]["bus"]["_object"] = json.dumps(buses)
    table = {"columns": ["x", "y", "coords"], "index": buses["index"], "data": [[*xy, None] for xy in places]}
    data["_object"]["bus_geodata"] = data["_object"]["bus"] | {"_object": json.dumps(table)}
    (tmp_path / "town.json").write_text(json.dumps(data))

    done = draft(tmp_path, "pandapower", "town.json", "--city", "town", "--timezone", "Europe/Zurich")

    assert done.stdout == (new.parent / "city.yaml").read_text()


REFUSED = {
    "no kind": (["x.inp"], "x.inp: of which kind is it? Say KIND FILE... or KIND:FILE; KIND is epanet, swmm"),
    "no file": (["swmm"], "no file is named behind swmm; say swmm FILE..."),
    "not there": (["swmm:none.inp"], "[Errno 2] No such file or directory: 'none.inp'"),
    "a folder": (["swmm:."], "[Errno 21] Is a directory; expected a model file: '.'"),
    "empty": (["epanet:empty.inp"], "empty.inp: the file is empty; expected a model that epanet reads"),
    "wrong kind": (
        ["epanet:drain.inp"],
        "drain.inp: this is a file of swmm, not of epanet; say swmm:drain.inp",
    ),
    "no text": (["swmm:noise.inp"], "noise.inp: no [SECTION] in it; expected the text file (.inp) that"),
    "no nodes": (["swmm:bare.inp"], "bare.inp: the network is empty: no junctions, outfalls, storages"),
    "no number": (
        ["swmm:letters.inp"],
        "letters.inp:3: expected a number for an elevation, got 'high'; mend it",
    ),
    "no such node": (["swmm:astray.inp"], "astray.inp:7: no node 'well_3'; did you mean 'well_1'?; mend"),
    "twice": (["swmm:twice.inp"], "twice.inp:4: there are two nodes 'J1'; rename one"),
    "epanet's word": (
        ["epanet:bad.inp"],
        "bad.inp:2: EPANET refuses the network: Error 202: illegal numeric",
    ),
    "no links": (
        ["epanet:loose.inp"],
        "loose.inp: the network is empty: no nodes, or nothing that links them",
    ),
    "opendss's word": (
        ["opendss:bad.dss"],
        "bad.dss:2: OpenDSS refuses the network: (#263) New Command: Object",
    ),
    "no circuit": (
        ["opendss:none.dss"],
        "none.dss: no circuit in it; expected the master file, with 'New Circ",
    ),
    "only a source": (
        ["opendss:source.dss"],
        "source.dss: the network is empty: no lines and no transformers",
    ),
    "not JSON": (
        ["pandapower:bad.json"],
        "bad.json: not JSON (Expecting property name enclosed in double quotes",
    ),
    "other JSON": (
        ["pandapower:other.json"],
        "other.json: no pandapower network in it; expected what pandapower",
    ),
    "no buses": (["pandapower:empty.json"], "empty.json: the network is empty: no buses"),
    "scale": (
        ["swmm:drain.inp", "--scale", "0"],
        "--scale 0: expected metres of a drawing's unit, a number abo",
    ),
    "origin": (
        ["swmm:drain.inp", "--origin", "95,2"],
        "--origin 95,2: expected latitude and longitude in degre",
    ),
    "point": (["swmm:drain.inp", "--origin", "5,2@x"], "--origin 5,2@x: expected latitude and longitude i"),
    "within": (["swmm:drain.inp", "--couple-within=-1"], "--couple-within -1: expected metres, 0 or more"),
    "city": (
        ["swmm:drain.inp", "--city", "a/b"],
        "--city 'a/b': expected letters, digits, '.', '-', '_' only",
    ),
    "timezone": (
        ["swmm:drain.inp", "--timezone", "Mars"],
        "--timezone: time zone 'Mars' is unknown; expected an",
    ),
}

FILES = {
    "empty.inp": "",
    "drain.inp": "[JUNCTIONS]\nj1 5\n[OUTFALLS]\no1 4 FREE\n[CONDUITS]\nc1 j1 o1 100 0.01 0 0\n",
    "noise.inp": "\x00\x01 nothing that anybody wrote",
    "bare.inp": "[OPTIONS]\nFLOW_UNITS LPS\n[CONDUITS]\n",
    "letters.inp": "[CONDUITS]\n[JUNCTIONS]\nj1 high\n",
    "astray.inp": "[JUNCTIONS]\nwell_1 5\nj2 5\n[OUTFALLS]\no1 4 FREE\n[CONDUITS]\nc1 well_3 o1 9 0.01 0 0\n",
    "twice.inp": "[CONDUITS]\n[JUNCTIONS]\nj1 5\nJ1 5\n",
    "bad.inp": "[JUNCTIONS]\n a  high\n[RESERVOIRS]\n r 50\n[PIPES]\n p r a 10 100 100 0 Open\n",
    "loose.inp": "[JUNCTIONS]\n a 5\n[RESERVOIRS]\n r 50\n[OPTIONS]\nUNITS LPS\n",
    "bad.dss": "New Circuit.x\nNew Foo.y\n",
    "none.dss": "Clear\n",
    "source.dss": "Clear\nNew Circuit.x\n",
    "bad.json": '{"a": 1,',
    "other.json": '{"a": 1}',
    "empty.json": '{"_class": "pandapowerNet", "_object": {"name": "x"}}',
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, refusal: Refuse, case: str) -> None:
    """What, where, what was expected, what next; and no file is left behind, not even half of one."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    arguments, expected = REFUSED[case]
    named = [] if "--city" in arguments else ["--city", "x"]

    assert refusal(*arguments, *named, "--out", "city.yaml").startswith(expected)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_somebodys_review_is_not_written_over(tmp_path: Path, refusal: Refuse) -> None:
    """A draft that is there is kept unless --replace is said; a file to be read is kept even then."""
    (tmp_path / "drain.inp").write_text(FILES["drain.inp"])
    (tmp_path / "city.yaml").write_text("reviewed")
    command = ("swmm:drain.inp", "--city", "x", "--out")

    assert refusal(*command, "city.yaml").startswith("city.yaml: is there already, and may hold some")
    assert (tmp_path / "city.yaml").read_text() == "reviewed"
    assert refusal(*command, "drain.inp", "--replace").startswith("drain.inp: this is one of the fil")
    assert (tmp_path / "drain.inp").read_text() == FILES["drain.inp"]
    assert refusal(*command, "away/city.yaml").startswith("away/city.yaml: the folder away is not th")

    assert draft(tmp_path, *command, "city.yaml", "--replace").returncode == 0
    assert load_city(tmp_path / "city.yaml").city == "x"


def test_names_become_ids_that_stay_apart() -> None:
    """The model's own name where it can be an id; the kind in front of numbers and of names used twice."""
    given = [
        ("10", "junction"),
        ("10", "pump"),
        ("P-1", "pump"),
        ("P-1", "valve"),
        ("Größe (alt)", "tank"),
        ("junction-10", "valve"),
        ("?!", "tank"),
        ("", "tank"),
        ("a b", "tank"),
        ("a-b", "tank"),
        ("x" * 300, "tank"),
    ]  # fmt: skip - pairs in rows
    assets = [DraftAsset(name, kind, Utility.WATER) for name, kind in given]

    name_assets(assets)

    assert [asset.id for asset in assets] == [
        *("junction-10", "pump-10", "pump-P-1", "valve-P-1", "Groe-alt", "valve-junction-10"),
        *("tank", "tank-2", "tank-a-b", "tank-a-b-2", "x" * 80),
    ]
    assert len({asset.id for asset in assets}) == len(assets)


SEWERS = (GOLDEN / "swmm-storm-and-sewage" / "sewers.inp").read_text()
TOWN = (GOLDEN / "pandapower-town" / "town.json").read_text()
JUNK = [
    "",
    "[",
    "]",
    '"',
    ";",
    "\n",
    "[CONDUITS]",
    "-1",
    "1e999",
    "nan",
    "null",
    "{",
    "é",
    "\x00",
    " D1 ",
    "[[]]",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["swmm", "pandapower"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(JUNK)), min_size=1, max_size=6),
)
def test_no_slip_in_a_file_brings_it_down(
    tmp_path: Path, kind: str, slips: list[tuple[float, int, str]]
) -> None:
    """Either there is a draft that check accepts, or one error that begins with the file's name."""
    text = SEWERS if kind == "swmm" else TOWN
    for where, cut, junk in slips:
        at = int(where * len(text))
        text = text[:at] + junk + text[at + cut :]
    (tmp_path / "model").write_text(text)
    try:
        importing([f"{kind}:{tmp_path / 'model'}"], Options(city="x"))
    except CantImport as error:
        told = str(error)
        assert told.startswith((str(tmp_path / "model"), "no draft was written"))
        assert told.count("\n") == 0
