"""Stories of days made worse on purpose: what is spoilt, and that truth and the rest stay."""

import json
from itertools import islice
from pathlib import Path

import pytest

from collectors.intake import Intake
from collectors.recording import Writer, read
from runner.bench.spoil import Spoil, spoilt_city, spoilt_recording
from runner.core import Core
from runner.labels import BadInput
from schemas.city import City, Link
from schemas.cityfile import load_city
from schemas.times import parse_time
from schemas.vocabulary import load_vocabulary

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton"
MODEL = load_city(RIVERTON / "city.yaml")


def ends(link: Link) -> tuple[str, str, str]:
    """What a link joins."""
    return link.source, link.target, link.relation


def spoilt(share: float, seed: str = "1") -> City:
    """Riverton with this share of its links wrong."""
    return City.model_validate_json(spoilt_city(RIVERTON / "city.yaml", share, seed))


def test_half_of_the_wrong_links_are_gone_and_half_lead_elsewhere() -> None:
    """To an asset of the same kind, as a draughtsman's slip would; assets and sensors stay."""
    city = spoilt(0.2)
    before, after = set(map(ends, MODEL.links)), set(map(ends, city.links))
    wrong = round(0.2 * len(MODEL.links))
    assert len(before - after) == wrong
    assert 0.25 * wrong < len(after - before) < 0.75 * wrong
    kinds = {MODEL.asset_by_id[source].kind + relation for source, _, relation in after - before}
    assert kinds <= {MODEL.asset_by_id[source].kind + relation for source, _, relation in before}
    assert (city.assets, city.sensors) == (MODEL.assets, MODEL.sensors)


def test_a_seed_spoils_the_same_links_and_another_seed_others() -> None:
    """So that a figure can be had again, and doesn't hang on one draw."""
    assert spoilt(0.08) == spoilt(0.08)
    assert spoilt(0.08) != spoilt(0.08, "2")
    assert spoilt(0.0) == MODEL


def test_a_bad_network_doubles_delays_and_loses_a_few(tmp_path: Path) -> None:
    """The messages are the recording's own, in another order, some twice, some not at all."""
    recording = tmp_path / "hours.jsonl"
    with Writer(recording) as hours:
        for message in islice(read(RIVERTON / "quiet-day.jsonl.gz", fail), 5_000):
            hours.write(message)
    whole = [(one.topic, json.dumps(json.loads(one.payload))) for one in read(recording, fail)]
    lines = [json.loads(line) for line in spoilt_recording(recording, 1)]
    kept = [(line["topic"], json.dumps(line["payload"])) for line in lines]
    assert set(kept) < set(whole)
    assert 0.98 < len(set(kept)) / len(set(whole)) < 1
    assert len(kept) > len(set(kept))
    received = [parse_time(line["received"]) for line in lines]
    assert received == sorted(received)
    assert list(spoilt_recording(recording, 1)) == list(spoilt_recording(recording, 1))


def fail(line: int, why: str) -> None:
    """No recording of ours has faults."""
    raise AssertionError(f"{line}: {why}")


def test_a_recording_with_faults_is_refused(tmp_path: Path) -> None:
    """What can't be read would be gone without a word."""
    broken = tmp_path / "day.jsonl"
    broken.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"day\.jsonl:1: .*whole recordings only"):
        list(spoilt_recording(broken, 1))


def test_what_is_spoilt_is_said_in_words() -> None:
    """The words stand in the report, and name the folder of the results."""
    assert Spoil().words == ""
    assert Spoil(0.08, bad_network=True).words == "8% wrong links, bad network"


@pytest.mark.parametrize("share", [0.08, 0.3, 0.8])
def test_a_model_with_wrong_links_is_watched_all_the_same(share: float) -> None:
    """Drains in circles, tanks without pumps, feeders of nothing: hours of the storm go through."""
    city = spoilt(share, str(share))
    core, intake = Core(city, load_vocabulary()), Intake(city)
    storm = islice(read(RIVERTON / "storm-day.jsonl.gz", fail), 20_000, 32_000)
    for record in intake.step(list(storm)).records:
        core.step(record)
    assert core.stream_time is not None
