"""The archive in a store of objects that speaks S3, over HTTP, with the client that people have (s3fs)."""

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from runner.archive.place import Place
from runner.archive.writing import Received, Writer
from runner.cli import main
from runner.replay import RESULTS
from schemas.times import DAY
from tests.runner.test_archive import MODEL, SENSORS, frame
from tests.runner.test_determinism import recorded, stretch
from tests.runner.test_replay import RIVERTON
from tests.servers import Moto, free_ports

ARCHIVE = "s3://waterworks/kept"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket; s3fs finds it by the environment, as it finds anybody's."""
    folder = tmp_path_factory.mktemp("moto")
    with Moto(folder, *free_ports(1)) as moto, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", moto.address)
        environment.setenv("AWS_ACCESS_KEY_ID", "anybody")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "any")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        files = fsspec.filesystem("s3")
        files.mkdir("waterworks")
        yield files


def told(out: Path, *words: object) -> dict[str, bytes]:
    """The results of ``crosscurrent replay``."""
    assert main(["replay", *map(str, words), "--out", str(out)]) == 0
    return {name: (out / name).read_bytes() for name in RESULTS}


def test_an_archive_in_s3(
    tmp_path: Path, store: fsspec.AbstractFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    """Added, compacted, replayed to the same bytes; a damaged object is named, the rest is replayed."""
    storm = recorded(stretch("storm-day-faults"), tmp_path)
    city = RIVERTON / "city.yaml"
    half = ("--from", "2025-06-04T10:00:00Z", "--to", "2025-06-04T10:30:00Z")

    assert main(["archive", "add", ARCHIVE, str(storm), "--city", str(city)]) == 0
    assert main(["archive", "compact", ARCHIVE]) == 0
    assert main(["archive", "verify", ARCHIVE]) == 0
    assert told(tmp_path / "a", storm, "--city", city, *half) == told(tmp_path / "b", ARCHIVE, *half)

    (water,) = store.glob(f"{ARCHIVE}/**/readings/**/utility=water/*.parquet")
    content = bytearray(store.cat_file(water))
    content[len(content) // 2] ^= 1
    store.pipe_file(water, bytes(content))
    capsys.readouterr()
    assert main(["archive", "verify", ARCHIVE]) == 1
    assert water.removeprefix("waterworks/kept/") in capsys.readouterr().out
    told(tmp_path / "c", ARCHIVE, *half)
    assert json.loads((tmp_path / "c" / "summary.json").read_text())["damaged_files"] == 1


def test_days_that_are_old_go_from_s3(store: fsspec.AbstractFileSystem) -> None:
    """With all their objects; what is kept stays."""
    place = Place("s3://waterworks/days")
    days = [Received(at * DAY, at, frame(SENSORS[0], at * DAY)) for at in range(4)]
    list(Writer(place, MODEL).add("test", days))
    assert main(["archive", "trim", place.address, "--keep-days", "2"]) == 0
    left = [Path(one).parts[4] for one in store.glob(f"{place.address}/**/*.parquet")]
    assert left == ["day=1970-01-03", "day=1970-01-04"]


def test_a_bucket_that_is_not_there_is_told_in_one_line(
    store: fsspec.AbstractFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its address."""
    assert main(["replay", "s3://nowhere/kept", "--out", "results"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
