"""What labelled days teach: strengths by trials, lags and priors by what was seen, and changes in place."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alarms import Alarm, Severity
from schemas.times import DAY, HOUR, MINUTE, SECOND
from schemas.vocabulary import load_vocabulary
from streams.amend import CannotAmend, amend, duration, taught, window
from streams.causes import BUILT_IN, Causes, load_causes
from streams.learn import (
    ALIKE,
    STRENGTH_LEAST,
    STRENGTH_MOST,
    STRENGTH_WEIGHT,
    Day,
    Fit,
    Lag,
    Lessons,
    PriorLesson,
    RuleLesson,
    Trials,
    Truth,
    fit_lag,
    fit_strengths,
    forecasts,
    learn,
    named,
    seen_lags,
    trials,
    understand,
)
from streams.network import Network
from tests.scenario import at, city_of

RULES = """\
# How trouble spreads in this town.
words: {}
measuring: [missing]
everyday: [planned_work]
signs:
  level_fall: {of: level_low, chance: 0.02}
rules:
  # --- power
  - {name: supply is lost, cause: dead, via: powers, effect: dead, lag: [0s, 1m, 3m], strength: 0.9,
     source: "no second source"}  # rings are the exception
  - {name: a tank drains, cause: dead, kinds: [pump], via: supplies, effect: level_low, lag: [0s, 4h],
     strength: 0.6, source: assumed}

priors:
  - {condition: dead, kinds: [feeder], prior: 0.02, hidden: true}
  - {condition: dead, kinds: [pump], prior: 0.01}
  - {prior: 0.001}
"""
DRAINS = "a tank drains"
TOWN = city_of("""
assets:
  - {id: feeder-1, utility: power, kind: feeder, zone: z}
  - {id: pump-1, utility: water, kind: pump, zone: z}
  - {id: pump-2, utility: water, kind: pump, zone: z}
  - {id: tank-1, utility: water, kind: tank, zone: z}
  - {id: tank-2, utility: water, kind: tank, zone: z}
links:
  - {from: feeder-1, to: pump-1, relation: powers}
  - {from: feeder-1, to: pump-2, relation: powers}
  - {from: pump-1, to: tank-1, relation: supplies}
  - {from: pump-2, to: tank-2, relation: supplies}
sensors:
  - {asset: pump-1, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: pump-2, quantity: voltage, unit: pu, every: 60, limits: {low_low: 0.5}}
  - {asset: tank-1, quantity: level, unit: m, every: 60, limits: {low: 2}}
  - {asset: tank-2, quantity: level, unit: m, every: 60, limits: {low: 2}}
""")
OURS = load_causes()
CITY_SPAN = at("00:00"), at("00:00") + DAY


def rules_of(folder: Path, text: str = RULES) -> Causes:
    """A causes file of this text, read."""
    path = folder / "causes.yaml"
    path.write_text(text, encoding="utf-8")
    return load_causes(path)


@pytest.fixture
def causes(tmp_path: Path) -> Causes:
    """The rules of the town."""
    return rules_of(tmp_path)


def alarm(start: str, asset: str, condition: str, end: str | None = None) -> Alarm:
    """An alarm that began at ``start`` and stands, or stood until ``end``."""
    return Alarm(
        id=f"{asset} {condition} {start}",
        asset=asset,
        utility="power",
        condition=condition,
        severity=Severity.WARNING,
        raised=at(start),
        cleared=None if end is None else at(end),
        sensor=None,
    )


def truth(asset: str, start: str, *effects: str, kind: str = "trip") -> Truth:
    """A true cause with the assets that it reached."""
    since = at(start)
    assets = frozenset({asset, *effects})
    return Truth(asset, kind, since, None, since - 5 * MINUTE, since + DAY, frozenset({asset}), assets)


def day_of(causes: Causes, alarms: Sequence[Alarm], *truths: Truth) -> Day:
    """A day of the town."""
    return understand(Network(TOWN, causes, load_vocabulary()), alarms, CITY_SPAN, truths)


FEEDER = truth("feeder-1", "08:00", "pump-1", "pump-2", "tank-1")
BOTH_PUMPS = [alarm("08:01", "pump-1", "dead"), alarm("08:01", "pump-2", "dead")]


# --- strengths ------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(1, 200), st.floats(0.05, 0.95))
def test_a_rule_that_acts_alone_ends_at_successes_over_trials(came: int, stayed: int, before: float) -> None:
    """K of n trials, and the present strength as five more: the more trials, the nearer to k/n."""
    fit = fit_strengths({"r": before}, Trials({(("r",),): came}, {("r",): stayed}))["r"]

    weighted = (came + STRENGTH_WEIGHT * before) / (came + stayed + STRENGTH_WEIGHT)
    assert fit.trials == came + stayed
    assert fit.new == pytest.approx(min(max(weighted, STRENGTH_LEAST), STRENGTH_MOST), abs=0.006)
    assert abs(fit.new - came / (came + stayed)) <= STRENGTH_WEIGHT / (came + stayed) + 0.02


ways = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(tuple)


@given(
    st.dictionaries(st.lists(ways, min_size=1, max_size=3).map(tuple), st.floats(0.1, 300), max_size=6),
    st.dictionaries(ways, st.floats(0.1, 300), max_size=6),
    st.lists(st.floats(0.01, 0.995), min_size=4, max_size=4),
)
def test_strengths_keep_their_bounds(
    came: dict[tuple[tuple[str, ...], ...], float], stayed: dict[tuple[str, ...], float], before: list[float]
) -> None:
    """Whatever was seen; and a rule without a trial is not spoken of."""
    fits = fit_strengths(dict(zip("abcd", before, strict=True)), Trials(came, stayed))

    assert all(STRENGTH_LEAST <= fit.new <= STRENGTH_MOST for fit in fits.values())
    assert fits.keys() == {rule for way in (*stayed, *(w for ways in came for w in ways)) for rule in way}


def test_the_rule_that_fails_is_found_by_what_else_works() -> None:
    """A chain that never acts has one weak link, and the other link is known to be strong."""
    tried = Trials({(("strong",),): 50}, {("strong", "weak"): 50})
    fits = fit_strengths({"strong": 0.7, "weak": 0.7}, tried)

    assert fits["strong"].new > 0.9
    assert fits["weak"].new < 0.15


def test_who_never_acts_alone_gets_no_credit() -> None:
    """Two ways lead to each alarm; one of them also had fifty chances of its own, and took none."""
    tried = Trials({(("busy",), ("idle",)): 30}, {("idle",): 50})
    fits = fit_strengths({"busy": 0.5, "idle": 0.5}, tried)

    assert fits["busy"].new > 0.85
    assert fits["idle"].new < 0.1
    assert fits["busy"].successes > 25


# --- trials ---------------------------------------------------------------------------------------------


def test_a_day_is_cut_into_trials(causes: Causes) -> None:
    """The feeder, which nothing watches, reaches two pumps; each pump is to drain a tank, and one does."""
    day = day_of(causes, [*BOTH_PUMPS, alarm("10:00", "tank-1", "level_low")], FEEDER)
    found = trials(day, ["dead"])

    two = 2 / (1 + ALIKE)
    assert found.came == {
        (("supply is lost",),): pytest.approx(two),
        (("a tank drains",),): pytest.approx(two / 2),
    }
    assert found.stayed == {("a tank drains",): pytest.approx(two / 2)}


@pytest.mark.parametrize(
    ("why", "extra"),
    [
        ("tank-2 was low before the pump died", [alarm("07:00", "tank-2", "level_low")]),
        ("its sensor said nothing", [alarm("07:00", "tank-2", "missing")]),
    ],
)
def test_no_trial_where_nothing_could_be_seen(causes: Causes, why: str, extra: list[Alarm]) -> None:
    """Left out, neither success nor failure."""
    day = day_of(causes, [*BOTH_PUMPS, alarm("10:00", "tank-1", "level_low"), *extra], FEEDER)

    assert trials(day, ["dead"]).stayed == {}, why


def test_no_trial_where_the_recording_ends_too_early(causes: Causes) -> None:
    """A pump that dies at 22:00 may drain its tank after midnight."""
    late = [alarm("22:00", "pump-1", "dead")]
    day = day_of(causes, late, truth("pump-1", "22:00"))

    assert trials(day, ["dead"]) == Trials({}, {})


def test_a_weak_sign_is_not_what_was_foretold(causes: Causes) -> None:
    """A tank that falls unusually is not low yet."""
    day = day_of(causes, [*BOTH_PUMPS, alarm("10:00", "tank-1", "level_fall")], FEEDER)

    assert (("a tank drains",),) not in trials(day, ["dead"]).came


def test_false_alarms_and_everyday_life_are_no_trials(causes: Causes) -> None:
    """What no label tells of has no truth to learn from."""
    day = day_of(causes, [alarm("08:00", "pump-1", "dead"), alarm("08:00", "pump-2", "planned_work")])

    assert trials(day, []) == Trials({}, {})


def test_causes_are_called_what_the_incidents_call_them(causes: Causes) -> None:
    """Where no incident found one, as others of its kind are called; a kind nobody named has no name."""
    found = day_of(causes, BOTH_PUMPS, FEEDER)
    missed = day_of(causes, [], truth("feeder-1", "09:00"), truth("tank-2", "09:00", kind="riddle"))

    assert named([found, missed]) == [["dead"], ["dead", None]]
    assert learn([found, missed], causes).nameless == {"riddle": 1}


# --- lags and priors ------------------------------------------------------------------------------------


def test_lags_are_read_off_right_explanations(causes: Causes) -> None:
    """Of the hidden feeder since it truly failed, of the pump since its alarm; a wrong root is silent."""
    alarms = [*BOTH_PUMPS, alarm("10:01", "tank-1", "level_low")]

    assert sorted(seen_lags(day_of(causes, alarms, FEEDER))) == [
        ("a tank drains", 2 * HOUR),
        ("supply is lost", MINUTE),
        ("supply is lost", MINUTE),
    ]
    assert list(seen_lags(day_of(causes, alarms, truth("tank-2", "08:00")))) == []


def test_a_window_moves_towards_what_was_seen(causes: Causes) -> None:
    """Twenty tanks that took half an hour, against four hours in the book; four tanks teach nothing."""
    drains = causes.rules[1]
    fitted = fit_lag(drains, [30 * MINUTE] * 20)

    assert fitted == (20, drains.lag, (20 * MINUTE, HOUR, 2 * HOUR))
    assert fit_lag(drains, [30 * MINUTE] * 4) is None


@given(st.lists(st.integers(0, 3 * DAY), min_size=5, max_size=30))
def test_a_window_always_rises(seen: list[int]) -> None:
    """Least, usual, most, none of them negative, whatever was seen."""
    for rule in OURS.rules:
        fitted = fit_lag(rule, seen)
        assert fitted is not None
        least, usual, most = fitted[2]
        assert 0 <= least <= usual <= most


def test_priors_shift_towards_what_began_more_often(causes: Causes) -> None:
    """Ten trips of a pump, none of a feeder, though the feeder was thought to be the likelier one."""
    days = [day_of(causes, [alarm("08:00", "pump-1", "dead")], truth("pump-1", "08:00")) for _ in range(10)]
    feeder, pump = learn(days, causes).priors

    assert (feeder.causes, pump.causes) == (0, 10)
    assert feeder.foreseen + pump.foreseen == pytest.approx(10)
    assert feeder.new < 0.02
    assert pump.new > 0.01


# --- changes in place -----------------------------------------------------------------------------------

STRONGER = RuleLesson("supply is lost", Fit(40.0, 39.0, 0.9, 0.97), None)
SOONER = RuleLesson("a tank drains", None, (9, (0, 2 * HOUR, 4 * HOUR), (5 * MINUTE, 90 * MINUTE, 3 * HOUR)))


def lessons(*rules: RuleLesson, priors: tuple[PriorLesson, ...] = ()) -> Lessons:
    """Lessons of twelve days."""
    return Lessons(12, 10, rules, priors, Counter())


def test_numbers_change_where_they_stand(causes: Causes) -> None:
    """Comments, order and layout stay; where a number comes from is told with what it was."""
    prior = PriorLesson(0, causes.priors[0], 7, 3.0, 0.03)
    text = amend(RULES, causes, lessons(STRONGER, SOONER, priors=(prior,)))

    expected = (
        RULES.replace(
            '0.9,\n     source: "no second source"',
            '0.97,\n     source: "fitted on 40 trials of 12 days; was 0.9 (no second source)"',
        )
        .replace("[0s, 4h]", "[5m, 90m, 3h]")
        .replace(
            " source: assumed",
            '\n     source: "fitted on 9 lags of 12 days; was [0s, 4h] (assumed)"',
        )
        .replace("hidden: true}", "hidden: true}  # fitted on 7 of 10 causes of 12 days; was 0.02")
    ).replace("prior: 0.02,", "prior: 0.03,")
    assert text == expected


def test_nothing_to_learn_changes_nothing(causes: Causes) -> None:
    """Small changes are none."""
    small = RuleLesson("supply is lost", Fit(2.0, 2.0, 0.9, 0.91), None)

    assert amend(RULES, causes, lessons()) == RULES
    assert amend(RULES, causes, lessons(small)) == RULES


def test_a_second_fit_forgets_the_first(tmp_path: Path, causes: Causes) -> None:
    """The source keeps the last number and the first source, and does not grow."""
    prior = PriorLesson(0, causes.priors[0], 7, 3.0, 0.03)
    once = amend(RULES, causes, lessons(STRONGER, priors=(prior,)))
    again = rules_of(tmp_path, once)
    weaker = RuleLesson("supply is lost", Fit(60.0, 50.0, 0.97, 0.85), None)
    twice = amend(once, again, lessons(weaker, priors=(prior._replace(entry=again.priors[0], new=0.05),)))

    assert rules_of(tmp_path, twice).rules[0].source == (
        "fitted on 60 trials of 12 days; was 0.97 (no second source)"
    )
    assert twice.count("# fitted on 7 of 10 causes of 12 days; was 0.03") == 1
    assert "was 0.02" not in twice


def test_rules_in_blocks_are_changed_too(tmp_path: Path) -> None:
    """A file may be laid out otherwise than ours."""
    text = dedent("""\
        words: {}
        measuring: []
        rules:
          - name: supply is lost
            cause: dead
            via: powers
            effect: dead
            lag: [0s, 3m]
            strength: 0.9  # guessed
            source: no second source
        priors:
          - prior: 0.001
    """)
    amended = amend(text, rules_of(tmp_path, text), lessons(STRONGER))

    assert "    strength: 0.97  # guessed\n" in amended
    assert '    source: "fitted on 40 trials of 12 days; was 0.9 (no second source)"\n' in amended


def test_numbers_that_are_shared_are_not_touched(tmp_path: Path) -> None:
    """An anchor ties two rules together: better no change than a wrong one."""
    text = RULES.replace("strength: 0.9,", "strength: &s 0.9,").replace("strength: 0.6,", "strength: *s,")

    with pytest.raises(CannotAmend, match="anchors"):
        amend(text, rules_of(tmp_path, text), lessons(STRONGER))


TEXT = BUILT_IN.read_text(encoding="utf-8")
moments = st.integers(0, 200).map(lambda n: n * 30 * SECOND)
rising = st.tuples(moments, moments, moments).map(lambda steps: (steps[0], sum(steps[:2]), sum(steps)))


@given(
    st.dictionaries(
        st.sampled_from([rule.name for rule in OURS.rules]),
        st.tuples(st.integers(2, 99), rising),
        max_size=8,
    ),
    st.dictionaries(st.integers(0, len(OURS.priors) - 1), st.integers(1, 50), max_size=4),
)
@settings(max_examples=8)
def test_any_lesson_fits_into_our_own_file(
    strengths: dict[str, tuple[int, Lag]], priors: dict[int, int]
) -> None:
    """What is read back is what was taught, and every comment is still there."""
    by_name = {rule.name: rule for rule in OURS.rules}
    taken = lessons(
        *(
            RuleLesson(
                name,
                Fit(20.0, 10.0, by_name[name].strength, hundredths / 100),
                (7, by_name[name].lag, lag),
            )
            for name, (hundredths, lag) in strengths.items()
        ),
        priors=tuple(PriorLesson(n, OURS.priors[n], 1, 1.0, new / 100) for n, new in priors.items()),
    )
    amended = amend(TEXT, OURS, taken)  # reads it back itself, and compares with what was taught

    assert [line for line in TEXT.splitlines() if line.lstrip().startswith("#")] == [
        line for line in amended.splitlines() if line.lstrip().startswith("#")
    ]
    assert max(map(len, amended.splitlines())) <= max(map(len, TEXT.splitlines())) + 60
    assert taught(OURS, taken).words == OURS.words


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0s"), (30 * SECOND, "30s"), (90 * MINUTE, "90m"), (2 * HOUR, "2h"), (72 * HOUR, "72h")],
)
def test_durations_as_people_write_them(ms: int, text: str) -> None:
    """In the largest unit that leaves no rest."""
    assert duration(ms) == text


def test_windows_are_short_where_the_usual_lag_is_halfway() -> None:
    """As the file's readers understand them."""
    assert window((0, 2 * HOUR, 4 * HOUR)) == "[0s, 4h]"
    assert window((0, HOUR, 4 * HOUR)) == "[0s, 1h, 4h]"


# --- foretelling ----------------------------------------------------------------------------------------


def test_what_was_foretold_is_tried_by_what_came(causes: Causes) -> None:
    """Told when the pumps died: one tank emptied, one did not; a tank low before them was not foretold."""
    low = alarm("09:30", "tank-1", "level_low")
    assert forecasts(day_of(causes, [*BOTH_PUMPS, low], FEEDER)) == Trials(
        {((DRAINS,),): 1 / (1 + ALIKE)}, {(DRAINS,): 1 / (1 + ALIKE)}
    )
    before = alarm("07:00", "tank-1", "level_low")
    assert forecasts(day_of(causes, [*BOTH_PUMPS, before], FEEDER)) == Trials({}, {(DRAINS,): 1.0})


def test_a_forecast_whose_time_reaches_beyond_the_recording_is_no_trial(causes: Causes) -> None:
    """Nobody knows what came of it."""
    late = [alarm("23:00", "pump-1", "dead"), alarm("23:00", "pump-2", "dead")]
    assert forecasts(day_of(causes, late, FEEDER)) == Trials({}, {})


def test_a_strength_for_foretelling_is_learnt_beside_the_strength(causes: Causes) -> None:
    """Ten days on which the tanks held out: foretold with less, explained as before where trials say so."""
    days = [day_of(causes, BOTH_PUMPS, FEEDER) for _ in range(10)]
    (lesson,) = [lesson for lesson in learn(days, causes).rules if lesson.name == DRAINS]
    assert lesson.forecast is not None
    assert lesson.forecast.old == 0.6
    assert lesson.forecast.new < 0.2


LESS_SURE = RuleLesson(DRAINS, None, None, Fit(30.0, 9.0, 0.6, 0.35))


def test_a_strength_for_foretelling_stands_beside_the_strength(tmp_path: Path, causes: Causes) -> None:
    """Put there by the first fit, changed by the second; the strength for explaining stays."""
    once = amend(RULES, causes, lessons(LESS_SURE))
    assert "strength: 0.6, forecast: 0.35," in once
    assert "fitted on 30 forecasts of 12 days; was 0.6 ahead (assumed)" in once
    again = RuleLesson(DRAINS, None, None, Fit(30.0, 9.0, 0.35, 0.5))
    twice = amend(once, rules_of(tmp_path, once), lessons(again))
    assert "strength: 0.6, forecast: 0.5," in twice
    (rule,) = [rule for rule in rules_of(tmp_path, twice).rules if rule.name == DRAINS]
    assert (rule.strength, rule.ahead) == (0.6, 0.5)


def test_a_strength_for_foretelling_in_a_block_gets_a_line_of_its_own(tmp_path: Path) -> None:
    """Comments behind the strength stay where they are."""
    text = dedent("""
        words: {}
        measuring: []
        rules:
          - name: a tank drains
            cause: dead
            via: supplies
            effect: level_low
            lag: [0s, 4h]
            strength: 0.6  # guessed
            source: assumed
        priors:
          - prior: 0.001
    """)
    amended = amend(text, rules_of(tmp_path, text), lessons(LESS_SURE))
    assert "    forecast: 0.35\n    strength: 0.6  # guessed\n" in amended
