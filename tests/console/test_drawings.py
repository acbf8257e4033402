"""Layout, words, charts and markup: pure, and safe whatever the text says."""

import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import charts, drawing, fragments, views, wording
from console.guard import Guard
from console.layout import APART, hull, lay_out
from schemas.alarms import Severity
from schemas.city import City
from schemas.readings import Quality, Reading
from schemas.times import HOUR, MINUTE, parse_time
from tests.console.tabs import HOSTILE, with_assets

T = parse_time("2025-06-04T10:00:00Z")
PARIS = ZoneInfo("Europe/Paris")
N = "\u202f"


def test_assets_at_one_place_are_moved_apart_but_not_away(riverton: City) -> None:
    """No two markers hide one another; the same city is laid out the same way."""
    layout = lay_out(riverton)
    points = list(layout.points.values())

    nearest = min(math.dist(a, b) for i, a in enumerate(points) for b in points[:i])
    assert nearest > APART / 2
    assert len(points) == len(riverton.assets)
    assert lay_out(riverton) == layout


def test_a_city_without_positions_has_an_empty_map(riverton: City) -> None:
    """Positions are optional in a city model."""
    placeless = tuple(asset.model_copy(update={"position": None}) for asset in riverton.assets)
    nowhere = with_assets(riverton, placeless)

    assert lay_out(nowhere).points == {}
    assert "<svg" in drawing.drawing(nowhere, lay_out(nowhere))


def test_a_hull_holds_its_corners_only() -> None:
    """The point in the middle is no corner."""
    assert set(hull([(0, 0), (4, 0), (4, 4), (0, 4), (2, 2)])) == {(0, 0), (4, 0), (4, 4), (0, 4)}


def test_the_map_escapes_names(hostile: City) -> None:
    """A name with markup is drawn as text."""
    picture = str(drawing.drawing(hostile, lay_out(hostile)))

    assert "<img" not in picture
    assert "&lt;img" in picture


def test_a_card_escapes_its_sentence() -> None:
    """So is a summary, an asset, a utility."""
    card = views.Card(
        id="x",
        severity=Severity.WARNING,
        summary=HOSTILE,
        utilities=(HOSTILE,),
        root=(HOSTILE, HOSTILE, "1"),
        coming=None,
        alarms=1,
        standing=1,
        since="12:00",
        lasted="1",
        open=True,
    )

    assert "<img" not in fragments.card(card)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.condition_words("depth_high_high"), "depth very high"),
        (wording.condition_words("dead"), "dead"),
        (wording.duration(45_000), f"45{N}s"),
        (wording.duration(3 * HOUR + 5 * MINUTE), f"3{N}h{N}05"),
        (wording.duration(52 * HOUR), f"2{N}d{N}4{N}h"),
        (wording.lag(-360), f"−6{N}min"),
        (wording.lag_range(0, 5400), f"≤{N}1{N}h{N}30"),
        (wording.lag_range(600, 7200), f"10{N}min to 2{N}h{N}00"),
        (wording.quantity(0.416, "m"), f"0.42{N}m"),
        (wording.quantity(1240.4, "veh/h"), f"1{N}240{N}veh/h"),
        (wording.quantity(1, "1"), "1.00"),
        (wording.percent(0.999), f">{N}99{N}%"),
        (wording.percent(0.004), f"<{N}1{N}%"),
        (wording.clock(T, PARIS), "12:00"),
        (wording.moment(T, PARIS, beside=T + 24 * HOUR), "4 Jun 12:00"),
        (wording.plural(1, "alarm"), "1 alarm"),
    ],
)
def test_words(said: str, expected: str) -> None:
    """Short, in the city's time, with units."""
    assert said == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000))
def test_thinning_keeps_order_peaks_and_dips(values: list[float]) -> None:
    """A chart may leave out points, never an extreme."""
    readings = [Reading("a/b", i, value) for i, value in enumerate(values)]
    thinned = charts.thin(readings, 100)

    assert len(thinned) <= max(100, min(len(values), 102))
    assert thinned == sorted(thinned, key=lambda reading: reading.at)
    assert {min(values), max(values)} <= {reading.value for reading in thinned}


def test_a_chart_draws_near_limits_and_leaves_out_far_ones_and_bad_values(riverton: City) -> None:
    """A limit a thousand times away would press the curve flat; a bad value is no curve."""
    sensor = riverton.sensor_by_id["sump-b/depth"]
    high = sensor.limits.high
    assert high is not None
    readings = [
        Reading(sensor.id, T, high * 0.9),
        Reading(sensor.id, T + MINUTE, -999.0, Quality.BAD),
        Reading(sensor.id, T + 2 * MINUTE, high * 1.1),
    ]
    options = charts.chart(readings, sensor, T, T + HOUR, PARIS, [(T + MINUTE, None)])

    (series,) = options["series"]
    assert [value for _, value in series["data"]] == [round(high * 0.9, 4), round(high * 1.1, 4)]
    assert high in [line.get("yAxis") for line in series["markLine"]["data"]]
    assert options["xAxis"]["min"] == T + 2 * HOUR, "the axis shows the city's time of day"
    assert charts.value_range([1.0, 2.0], [1.5, 900.0])[1] < 10


def test_ticks_are_round_in_the_citys_time() -> None:
    """Ten to one is no tick."""
    ticks = fragments.time_ticks(T + 7 * MINUTE, T + 5 * HOUR, PARIS, most=6)

    assert [wording.clock(at, PARIS) for at in ticks] == ["13:00", "14:00", "15:00", "16:00"]


@pytest.mark.parametrize(
    ("served", "host", "origin", "welcome"),
    [
        ("127.0.0.1", "127.0.0.1:8080", None, True),
        ("127.0.0.1", "localhost:8080", "http://localhost:8080", True),
        ("127.0.0.1", "[::1]:8080", None, True),
        ("127.0.0.1", "evil.example:8080", None, False),
        ("127.0.0.1", "localhost:8080", "http://localhost:3000", False),
        ("127.0.0.1", "localhost:8080", "null", False),
        ("0.0.0.0", "control-room.local:8080", "http://control-room.local:8080", True),
    ],
)
def test_the_guard_knows_its_own(served: str, host: str, origin: str | None, welcome: bool) -> None:
    """Rebinding and foreign pages are refused; an address opened to the network answers to its names."""
    guard = Guard(lambda *_: None, host=served)  # type: ignore[arg-type]  # no request reaches the app here

    assert (guard.refusal(host, origin) is None) is welcome


def test_the_words_of_an_incident_are_sentences_and_never_markup() -> None:
    """One line a sentence, whatever an asset is called; no heading where there is nothing to say."""
    told = fragments.words(["10:05 <b>pump</b> stopped.", "Without it, tank-1 would be well."])
    assert told.count("<li>") == 2
    assert "<b>" not in told
    assert "&lt;b&gt;pump" in told
    assert fragments.words([]) == ""


def test_what_was_foretold_is_drawn_only_where_something_was() -> None:
    """Names come from city models: they are escaped here as everywhere."""
    entry = views.Prediction("10:05", "<i>tank</i>", "level low", "80 %", "miss", "did not come")
    drawn = fragments.foretold([entry])
    assert "&lt;i&gt;tank&lt;/i&gt;" in drawn
    assert 'class="miss"' in drawn
    assert "1 did not" in drawn
    assert fragments.foretold([]) == ""
