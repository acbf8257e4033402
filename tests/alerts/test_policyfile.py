"""What ``crosscurrent check`` says of an alerts.yaml, line by line."""

import pytest

from tests.alerts.help import linted

BASE = """\
receivers:
  desk: {type: console}
  phone: {type: console}
people:
  ana: {by: phone}
rotas:
  first:
    shifts: [{people: ana}]
"""
FAULTS = {
    "unknown field": (
        BASE + "route: {to: desk, routes: [{match: {utilty: water}, to: first}]}",
        ["9: unknown field 'utilty'; did you mean 'utility'?"],
    ),
    "unknown names": (
        BASE + "route:\n  to: [desk, frist]\n  routes:\n    - {match: {zone: nort}, to: first, mute: nights}",
        [
            "10: no receiver, person or rota 'frist'; did you mean 'first'?",
            "12: the city has no zone 'nort', so this never matches; did you mean 'north'?",
            "12: times has no 'nights'; there are none",
        ],
    ),
    "shadowed route": (
        BASE + "route:\n  to: desk\n  routes:\n    - {match: {utility: [water, power]}, to: first}\n"
        "    - {match: {utility: water, severity: critical}, to: desk}",
        ["13: the route on line 12 takes all that this one could; put this one before it"],
    ),
    "unreachable route": (
        BASE + "route:\n  to: desk\n  routes:\n    - match: {kind: pump}\n      to: first\n"
        "      routes: [{match: {kind: tank}}]",
        ["14: nothing can reach this route: the one above it lets only kind pump through"],
    ),
    "root that does not take everything": (
        BASE + "route: {match: {utility: water}, to: [desk, first]}",
        ["9: the root route must take everything; move utility into a route below it"],
    ),
    "rota with a gap": (
        BASE.replace("people: ana}", "people: ana, days: mon-fri}") + "route: {to: [desk, first]}",
        ["7: nobody is on call in rota 'first': sat 00:00-24:00, sun 00:00-24:00"],
    ),
    "receiver never used": (
        BASE + "route: {to: first}",
        ["2: nothing uses 'desk' of receivers"],
    ),
    "steps in the wrong order": (
        BASE + "escalations: {e: [{after: 10m, to: desk}, {after: 5m, to: first}]}\n"
        "route: {to: desk, escalate: e}",
        ["9: a step must come after the one before"],
    ),
    "template that can't be filled in": (
        BASE + "templates: {title: '{{ wether }}', opend: x}\nroute: {to: [desk, first]}",
        [
            "9: this template can't be filled in: 'wether' is undefined",
            "9: no message is called 'opend'; did you mean 'opened'?",
        ],
    ),
    "template that reaches for what it should not": (
        BASE + "templates: {title: '{{ summary.__class__.__mro__ }}'}\nroute: {to: [desk, first]}",
        ["9: this template can't be filled in: access to attribute '__class__' of 'str' object is unsafe."],
    ),
    "secret in the file": (
        BASE.replace("phone: {type: console}", "phone: {type: pagerduty, routing_key: abc}")
        + "route: {to: [desk, first]}",
        ["3: receivers.phone.routing_key: expected a mapping, got 'abc'"],
    ),
    "one name twice": (
        BASE.replace("  ana: {by: phone}", "  ana: {by: phone}\n  desk: {by: phone}")
        + "route: {to: [desk, first]}",
        ["6: 'desk' stands under receivers too; messages go by name, so it must be one"],
    ),
    "no time of day": (
        BASE.replace("people: ana}", "people: ana, from: '25:00'}") + "route: {to: [desk, first]}",
        ["8: rotas.first.shifts.0.from: '25:00' is no time of day; write it as 08:00, up to 24:00"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_line_and_what_was_expected(name: str) -> None:
    """Each of them, and no other."""
    text, expected = FAULTS[name]
    policy, faults = linted(text)
    assert (policy, faults) == (None, expected)


def test_a_file_without_faults_is_a_policy() -> None:
    """Lists of one may be written as one."""
    policy, faults = linted(BASE + "route: {to: [desk, first], remind: 30m}")
    assert faults == []
    assert policy is not None
    assert policy.route.remind == 1_800_000
