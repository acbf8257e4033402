"""What people read on a phone."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.facts import facts_of
from alerts.messages import SCREEN, TITLE_MAX, Messages
from schemas.incidents import Expected, IncidentRevision
from tests.alerts.help import CITY, policy_of, revision
from tests.scenario import at

POLICY = """
receivers: {desk: {type: console}}
route: {to: desk}
links: {console: "http://here/incident/{incident}", dashboard: "http://there/d/{asset}"}
runbooks:
  - {kind: tank, step: "Look at the tank."}
  - {kind: pump, condition: dead, step: "Look at the voltage first.", link: "http://books/pump"}
"""


def said(incident: IncidentRevision, kind: str = "opened", text: str = POLICY) -> str:
    """The message of a kind, at 08:10."""
    facts = facts_of(incident, CITY.asset_by_id)
    found = Messages(policy_of(text), CITY).of(
        kind, incident, facts, reason="it reaches water", known="i-1", at=at("08:10")
    )
    assert len(found.text) <= SCREEN
    assert len(found.title) <= TITLE_MAX
    return found.text


def test_a_message_says_what_where_since_when_why_what_next_and_what_to_do() -> None:
    """One screen; the first runbook that fits; links with the incident and the asset put in."""
    coming = Expected(
        asset="tank-2", condition="level_low", start=at("09:00"), end=at("09:30"), probability=0.8
    )
    incident = revision(root="pump-3", utilities=("water",)).model_copy(
        update={"expected": [coming], "explanation": ["Its neighbours stayed well."]}
    )
    assert said(incident).splitlines() == [
        "[warning] pump-3 lost supply at 08:00.",
        "Probable cause: pump-3 dead (90%), since Sun 08:00.",
        "Affected: water in north, 1,200 customers.",
        "Expected next: tank-2 level low from Sun 09:00 (80%).",
        "First: Look at the voltage first.",
        "Its neighbours stayed well.",
        "Incident: http://here/incident/i-1",
        "Dashboard: http://there/d/pump-3",
        "Runbook: http://books/pump",
    ]


def test_an_update_begins_with_what_is_new_and_an_all_clear_with_that() -> None:
    """The first words are what a locked phone shows."""
    assert said(revision(), "updated").startswith("Update: it reaches water.\n[warning] feeder-7")
    over = revision(change="closed", closed="09:20", known="09:30")
    assert said(over, "resolved").startswith(
        "All clear: feeder-7 dead (north) is over.\nWhy: it reaches water.\n"
    )
    assert "It lasted 1 h 20 min." in said(over, "resolved")


def test_a_template_of_the_citys_own_takes_the_place_of_ours() -> None:
    """In any language."""
    french = POLICY + "templates: {opened: 'Panne: {{ asset }} ({{ zones }})'}\n"
    assert said(revision(root="pump-3"), text=french) == "Panne: pump-3 (north)"


def test_a_template_that_fails_on_the_day_gives_way_to_ours() -> None:
    """It could be filled in when it was checked; people hear all the same."""
    fragile = POLICY + "templates: {opened: '{{ 1 // (asset|length - 8) }}'}\n"
    assert said(revision(), text=fragile).startswith("[warning] feeder-7 lost supply")


@given(st.text(max_size=2_000), st.text(max_size=2_000), st.sampled_from(["opened", "updated", "resolved"]))
def test_whatever_an_incident_says_it_fits_one_screen(summary: str, words: str, kind: str) -> None:
    """Long summaries, long explanations, braces: ``said`` holds each message against the screen."""
    incident = revision().model_copy(update={"summary": summary, "explanation": [words]})
    said(incident, kind)
