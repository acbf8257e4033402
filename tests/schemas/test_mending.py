"""A city model with mistakes: what is guessed, what is doubted, and that a good model stays as it is."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.bench.spoil import spoilt_city
from schemas.city import City, Link, Relation
from schemas.cityfile import lint_city, load_city
from schemas.mending import GUESSED, advice, likely, mended

RIVERTON = Path(__file__).parents[2] / "cities" / "riverton" / "city.yaml"


@pytest.fixture(scope="module")
def riverton() -> City:
    """A city whose links are right."""
    return load_city(RIVERTON)


def relinked(city: City, links: Sequence[Link]) -> City:
    """The city with other links."""
    parts = {"assets": city.assets, "links": tuple(links), "sensors": city.sensors}
    return City.model_validate({"city": city.city, "timezone": city.timezone, **parts})


def without(city: City, source: str, target: str, *, to: str | None = None) -> City:
    """The city in which a link is missing, or leads to another asset."""
    links = []
    for link in city.links:
        if (link.source, link.target) != (source, target):
            links.append(link)
        elif to:
            links.append(link.model_copy(update={"target": to}))
    assert len(links) != len(city.links) or to
    return relinked(city, links)


def guesses(city: City) -> dict[tuple[str, str], float]:
    """Guessed links, and how sure they are."""
    return {(link.source, link.target): link.sure for link in mended(city).links if link.name == GUESSED}


@pytest.mark.parametrize("name", ["riverton", "lakeland"])
def test_a_model_without_mistakes_stays_as_it_is(name: str) -> None:
    """The same object: nothing is copied."""
    city = load_city(RIVERTON.parents[1] / name / "city.yaml")
    assert mended(city) is city
    assert likely(city) is city
    assert not list(advice(city))


def test_a_pump_without_a_feeder_may_have_one_of_those_near_it(riverton: City) -> None:
    """Several, none of them sure; together they are as sure as that a link is missing at all."""
    (feeder,) = (k.source for k in riverton.links_to["lift-pump-1"] if k.relation is Relation.POWERS)
    found = guesses(without(riverton, feeder, "lift-pump-1"))
    assert (feeder, "lift-pump-1") in found
    assert {target for _, target in found} == {"lift-pump-1"}
    assert 0.5 < sum(found.values()) <= 0.901


def test_what_lies_beside_each_other_is_sure(riverton: City) -> None:
    """A bin stands at its inlet."""
    blocks = [(k.source, k.target) for k in riverton.links if k.relation is Relation.BLOCKS]
    bin_, inlet = blocks[0]
    assert guesses(without(riverton, bin_, inlet)) == {(bin_, inlet): pytest.approx(0.9)}
    assert (bin_, inlet) in {(k.source, k.target) for k in likely(without(riverton, bin_, inlet)).links}


def test_a_link_across_the_city_is_wrong_where_others_are_short(riverton: City) -> None:
    """An inlet drains to the manhole before it, not to one far away."""
    wrong = without(riverton, "inlet-8", "storm-8", to="storm-2")
    assert guesses(wrong) == {("inlet-8", "storm-8"): pytest.approx(0.9)}
    (doubted,) = (link for link in mended(wrong).links if link.sure < 0.5)
    assert (doubted.source, doubted.target) == ("inlet-8", "storm-2")
    assert ("inlet-8", "storm-2") not in {(k.source, k.target) for k in likely(wrong).links}


def test_one_feeder_too_many_here_and_none_there_is_a_link_that_went_astray(riverton: City) -> None:
    """The feeder that seems to power two things, of which one has another, is the likelier guess."""
    (feeder,) = (k.source for k in riverton.links_to["lift-pump-1"] if k.relation is Relation.POWERS)
    lost = guesses(without(riverton, feeder, "lift-pump-1"))[feeder, "lift-pump-1"]
    strayed = guesses(without(riverton, feeder, "lift-pump-1", to="booster-1"))[feeder, "lift-pump-1"]
    assert strayed > 2 * lost


def test_the_only_well_of_a_town_has_a_pump_too(riverton: City) -> None:
    """There is no other to learn from, but the model tells where sewage goes."""
    found = guesses(without(riverton, "wetwell-1", "lift-pump-1"))
    assert max(found, key=lambda ends: found[ends]) == ("wetwell-1", "lift-pump-1")


def test_a_relation_that_the_model_does_not_tell_of_is_not_guessed(riverton: City) -> None:
    """A water utility that models no power has no pumps without feeders."""
    dark = [link for link in riverton.links if link.relation is not Relation.POWERS]
    city = relinked(riverton, dark)
    assert mended(city) is city


def test_a_main_shorter_than_the_way_leads_elsewhere(riverton: City) -> None:
    """Between the ends lie two kilometres, and the main is 400 m long: as far as to a junction beside it."""
    wrong = without(riverton, "junction-h22", "junction-h23", to="junction-l04")
    (doubted,) = (link for link in mended(wrong).links if link.sure < 0.5 and link.name != GUESSED)
    assert (doubted.source, doubted.target) == ("junction-h22", "junction-l04")
    (again,) = (link for link in likely(wrong).links if link.name == GUESSED)
    assert (again.source, again.target) == ("junction-h22", "junction-h23")
    assert again.properties == doubted.properties


def test_a_main_that_is_missing_in_a_loop_is_not_missed(riverton: City) -> None:
    """Water comes the other way, and nothing tells that there was more."""
    assert not guesses(without(riverton, "junction-h22", "junction-h23"))


@pytest.mark.parametrize(
    ("source", "target"), [("junction-l32", "booster-1"), ("waterworks", "junction-l00")]
)
def test_what_no_water_reaches_lacks_a_main(riverton: City, source: str, target: str) -> None:
    """A pump needs somewhere to draw from, a zone somebody to feed it; the guess is a main with a length."""
    city = mended(without(riverton, source, target))
    (guessed,) = (link for link in city.links if link.name == GUESSED)
    assert (guessed.source, guessed.target) == (source, target)
    assert guessed.sure > 0.5
    length = guessed.properties["length_m"]
    assert isinstance(length, float)
    assert 50 < length < 600


def test_water_without_measures_is_left_alone(riverton: City) -> None:
    """Where mains have no lengths, the model only says who depends on whom."""
    bare = [link.model_copy(update={"properties": {}}) for link in riverton.links]
    city = relinked(riverton, bare)
    assert not guesses(without(city, "waterworks", "junction-l00"))


def test_the_tables_of_a_mended_city_are_its_own(riverton: City) -> None:
    """Its links from and to an asset hold the guessed ones, whatever was looked up before."""
    broken = without(riverton, "inlet-8", "storm-8")
    assert "inlet-8" not in broken.links_from
    assert [link.target for link in mended(broken).links_from["inlet-8"]] == ["storm-8"]


def test_the_check_tells_of_both(tmp_path: Path, riverton: City) -> None:
    """On the line of the asset, and of the link; faults they are not."""
    path = tmp_path / "city.yaml"
    wrong = without(riverton, "inlet-8", "storm-8", to="storm-2")
    path.write_text(wrong.model_dump_json(by_alias=True), encoding="utf-8")
    assert not lint_city(path).notes
    found = lint_city(path, advise=True)
    assert not found.faults
    assert [note.message for note in found.notes] == [
        "asset 'inlet-8': the model may lack a link: from inlet-8 to storm-8 (drains_to, 90%)",
        "link 'inlet-8' drains_to 'storm-2': it may be wrong; it is taken for 10% sure",
    ]


@given(st.integers(0, 2**32))
def test_the_order_of_the_model_plays_no_part(seed: int) -> None:
    """The same guesses and doubts from the same links, however they stand in the file."""
    city = load_riverton_spoilt(seed % 20)
    links = list(city.links)
    Random(seed).shuffle(links)
    other = relinked(city, links)
    assert told(mended(city)) == told(mended(other))


SPOILT: dict[int, City] = {}
"""Read once each: reading takes longer than what is tried."""


def load_riverton_spoilt(dice: int) -> City:
    """Riverton with 8 % of its links wrong."""
    if dice not in SPOILT:
        whole = spoilt_city(RIVERTON, 0.08, str(dice))
        SPOILT[dice] = City.model_validate_json(whole)
    return SPOILT[dice]


def told(city: City) -> list[tuple[str, str, str, float]]:
    """All links with how sure they are, in order."""
    return sorted((k.source, k.target, str(k.relation), round(k.sure, 6)) for k in city.links)


def test_most_mistakes_are_found(riverton: City) -> None:
    """Of the links of these relations that 8 % wrong ones took away, in twenty draws."""
    lost = found = 0
    for dice in range(20):
        spoilt = load_riverton_spoilt(dice)
        again = mended(spoilt)
        for link in ends(riverton) - ends(spoilt):
            lost += 1
            found += link in ends(again)
    assert lost > 100
    assert found > 0.8 * lost


RELATIONS = {Relation.POWERS, Relation.SERVES, Relation.BLOCKS, Relation.PROTECTS}


def ends(city: City) -> set[tuple[str, str, Relation]]:
    """Links of the relations of which each asset has one."""
    return {key(link) for link in city.links if link.relation in RELATIONS}


def key(link: Link) -> tuple[str, str, Relation]:
    """What makes it the link that it is."""
    return link.source, link.target, link.relation
