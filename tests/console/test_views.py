"""View models: what the pages show of alarms and incidents."""

import pytest

from console import views
from schemas.alarms import Alarm, Severity
from schemas.city import City
from schemas.incidents import Expected, Foretold, IncidentRevision, Member, Outcome, Root, Step
from schemas.times import HOUR, MINUTE, parse_time

T = parse_time("2025-06-04T10:00:00Z")
NARROW = "\u202f"


def alarm(asset: str, condition: str, severity: Severity, raised: int, cleared: int | None = None) -> Alarm:
    """An alarm of a water asset."""
    return Alarm(
        id=f"{asset}-{condition}-{raised}",
        asset=asset,
        utility="water",
        condition=condition,
        severity=severity,
        raised=raised,
        cleared=cleared,
        sensor=f"{asset}/{condition.partition('_')[0]}",
    )


def incident(**changes: object) -> IncidentRevision:
    """Feeder 2 died, the booster stopped 2 min later, the tank is expected to run dry."""
    body: dict[str, object] = {
        "id": "one",
        "opened": T,
        "closed": None,
        "severity": Severity.CRITICAL,
        "utilities": ["water", "power"],
        "root": Root(asset="feeder-2", condition="dead", since=T, probability=0.97),
        "alternatives": [],
        "members": [
            Member(asset="booster-1", condition="stopped", since=T + 2 * MINUTE),
            Member(asset="feeder-2", condition="dead", since=T),
        ],
        "expected": [
            Expected(asset="tank-1", condition="level_low", start=T + HOUR, end=T + 2 * HOUR, probability=0.8)
        ],
        "summary": "Feeder-2 lost supply.",
        "chain": [
            Step(
                cause="feeder-2",
                cause_condition="dead",
                effect="booster-1",
                effect_condition="stopped",
                rule="dead-stops",
                strength=0.98,
                lag_seconds=120,
                lag_seconds_min=0,
                lag_seconds_max=180,
                through=["transformer-a"],
            )
        ],
        "revision": 1,
        "known_at": T + 3 * MINUTE,
        "change": "opened",
    }
    return IncidentRevision.model_validate({**body, **changes})


def test_an_asset_shows_its_worst_alarm_and_forgets_what_cleared() -> None:
    """Conditions come in the order of their onset, each once."""
    states = views.asset_states(
        [
            alarm("tank-1", "level_low_low", Severity.CRITICAL, T + MINUTE),
            alarm("tank-1", "level_low", Severity.WARNING, T),
            alarm("booster-1", "stopped", Severity.CRITICAL, T, cleared=T + MINUTE),
        ]
    )

    assert states == {"tank-1": views.AssetState(Severity.CRITICAL, ("level_low", "level_low_low"))}


def test_a_card_says_what_happened_why_and_what_comes_next(riverton: City) -> None:
    """Utilities stand in the field's order; the root and the likeliest consequence have their numbers."""
    card = views.card(incident(), riverton, T + 30 * MINUTE)

    assert card.utilities == ("power", "water")
    assert card.root == ("feeder-2", "dead", f"97{NARROW}%")
    assert card.coming == ("tank-1", "level low", f"80{NARROW}%")
    assert (card.since, card.lasted, card.alarms, card.standing) == ("12:00", f"30{NARROW}min", 2, 2)


def test_what_stands_already_or_is_over_is_not_next(riverton: City) -> None:
    """A prediction that came true, or whose time has passed, is no news."""
    came = incident(members=[Member(asset="tank-1", condition="level_low", since=T)])

    assert views.card(came, riverton, T + MINUTE).coming is None
    assert views.card(incident(), riverton, T + 3 * HOUR).coming is None
    assert views.card(incident(closed=T + HOUR), riverton, T + HOUR).coming is None


def test_the_timeline_begins_with_the_root_and_gives_each_effect_its_step(riverton: City) -> None:
    """One row for each condition of an asset, however often it came back."""
    again = [*incident().members, Member(asset="booster-1", condition="stopped", since=T + HOUR)]
    rows = views.timeline(incident(members=again), riverton)

    assert [(row.asset, row.root, row.step and row.step.rule) for row in rows] == [
        ("feeder-2", True, None),
        ("booster-1", False, "dead-stops"),
    ]
    assert rows[1].spans == ((T + 2 * MINUTE, None), (T + HOUR, None))


def test_a_root_without_a_sensor_has_a_row_of_its_own(riverton: City) -> None:
    """It is latent: it has a time, but no alarm."""
    rows = views.timeline(incident(members=incident().members[:1]), riverton)

    assert [(row.asset, row.latent) for row in rows] == [("feeder-2", True), ("booster-1", False)]


def test_the_map_draws_each_pair_once_through_what_lies_between() -> None:
    """Two steps between the same assets are one arrow."""
    twice = incident().chain * 2

    assert views.overlay(incident(chain=twice)) == views.Overlay(
        "feeder-2", ("booster-1", "feeder-2"), (("feeder-2", "transformer-a", "booster-1"),)
    )


def test_the_time_drawn_holds_every_onset_and_no_endless_future() -> None:
    """A prediction for tomorrow does not squeeze the present."""
    far = [incident().expected[0].model_copy(update={"end": T + 30 * HOUR})]
    start, end = views.span(incident(expected=far), T + 2 * HOUR)

    assert start < T
    assert end == T + 2 * HOUR + HOUR + 2 * MINUTE + (-2 * MINUTE)


def test_the_story_is_told_by_the_members_sensors_root_first(riverton: City) -> None:
    """The sensor that raised the alarm where it is known, else one of the asset."""
    sensors = views.member_sensors(incident(), [alarm("booster-1", "run_low", Severity.WARNING, T)], riverton)

    assert sensors == ["feeder-2/current", "booster-1/voltage"]


def prediction(asset: str, outcome: Outcome | None, came: int | None = None) -> Foretold:
    """Low level in a tank, foretold at ten for the hour from eleven."""
    return Foretold(
        asset=asset,
        condition="level_low",
        start=T + HOUR,
        end=T + 2 * HOUR,
        probability=0.8,
        told=T,
        outcome=outcome,
        came=came,
    )


def test_predictions_stand_beside_what_came_of_them(riverton: City) -> None:
    """What came, what did not, what no sensor could tell; what is still open stands in the chain."""
    foretold = [
        prediction("tank-1", "hit", T + 90 * MINUTE),
        prediction("tank-2", "miss"),
        prediction("tank-3", "unknown"),
        prediction("tank-4", None),
    ]
    told = views.predictions(incident(foretold=foretold), riverton)
    assert [(one.told, one.condition, one.sure) for one in told] == [
        ("12:00", "level low", f"80{NARROW}%")
    ] * 3
    assert [one.what_came for one in told] == [
        f"came at 13:30, 1{NARROW}h{NARROW}30 after it was told",
        "did not come; expected until 14:00",
        "no sensor could tell; expected until 14:00",
    ]
    assert views.tally(told) == "1 came, 1 did not, 1 unknown"


def test_history_says_what_changed(riverton: City) -> None:
    """Newest first; a merge is told, and so is a new root."""
    later = incident(
        revision=2,
        change="new root",
        known_at=T + 10 * MINUTE,
        root=Root(asset="substation-a", condition="dead", since=T, probability=0.6),
        members=[*incident().members, Member(asset="signal-2", condition="dead", since=T)],
    )

    assert views.history([incident(), later], riverton) == [
        views.Revision(
            "12:10",
            "Another cause explains it better",
            f"root substation-a dead, 60{NARROW}%; +1 to 3 alarms; 1 more standing",
        ),
        views.Revision("12:03", "Opened", f"root feeder-2 dead, 97{NARROW}%; 2 alarms"),
    ]


def test_every_utility_has_a_lane_even_if_nothing_happened(riverton: City) -> None:
    """Empty lanes are news, too. Severe alarms come last, so that they are drawn on top."""
    lanes = views.lanes(
        riverton,
        [
            alarm("tank-1", "level_low_low", Severity.CRITICAL, T),
            alarm("tank-1", "level_low", Severity.WARNING, T + MINUTE, cleared=T + HOUR),
        ],
        now=T + 2 * HOUR,
    )

    assert [(lane.utility, lane.alarms) for lane in lanes] == [
        ("power", 0),
        ("water", 2),
        ("storm", 0),
        ("sewage", 0),
        ("waste", 0),
        ("roads", 0),
    ]
    assert lanes[1].spans == ((T + MINUTE, T + HOUR, 1), (T, T + 2 * HOUR, 2))


@pytest.mark.parametrize(
    ("utilities", "expected"), [(["roads", "power"], ("power", "roads")), (["x"], ("x",))]
)
def test_utilities_keep_their_order(utilities: list[str], expected: tuple[str, ...]) -> None:
    """Also those that we don't know."""
    assert views.utilities_in_order(utilities) == expected
