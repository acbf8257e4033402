"""Mains: how a network falls into parts, and the heads in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.city import City
from streams.hydraulics import Mains, measure, parts

FORMULA = 10.67 * 1000 * 0.030**1.852 / (125**1.852 * 0.3**4.871)
"""Hazen and Williams: 30 L/s through 1000 m of 300 mm."""


def _city(kinds: dict[str, str], mains: list[tuple[str, str, dict[str, float]]]) -> City:
    return City.model_validate(
        {
            "city": "smallton",
            "timezone": "UTC",
            "assets": [
                {"id": name, "utility": "water", "kind": kind, "zone": "a"} for name, kind in kinds.items()
            ],
            "links": [
                {"from": one, "to": other, "relation": "supplies", "properties": properties}
                for one, other, properties in mains
            ],
        }
    )


def _line(*mains: tuple[int, int]) -> Mains:
    """Junctions joined by mains of 1000 m and 300 mm."""
    names = [f"j{number}" for number in range(max(max(main) for main in mains) + 1)]
    measures = {"length_m": 1000.0, "diameter_mm": 300.0}
    (part,) = parts(
        _city(
            dict.fromkeys(names, "junction"), [(names[one], names[other], measures) for one, other in mains]
        )
    )
    return part


def test_network_ends_at_pumps() -> None:
    """A pump's two sides are two parts; a valve joins; a link without measures beside others is no main."""
    city = _city(
        {
            "works": "treatment_works",
            "low": "junction",
            "pump": "pump",
            "high": "junction",
            "valve": "valve",
            "far": "junction",
            "tank": "tank",
        },
        [
            ("works", "low", {"length_m": 10.0}),
            ("low", "pump", {"length_m": 10.0}),
            ("pump", "high", {"length_m": 10.0}),
            ("pump", "tank", {}),
            ("high", "valve", {"length_m": 10.0}),
            ("valve", "far", {"length_m": 10.0}),
        ],
    )
    above, below = parts(city)
    assert (above.junctions, above.into, above.out_of, above.tanks) == (("far", "high"), ("pump",), (), ())
    assert (below.junctions, below.into, below.out_of, below.works) == (("low",), (), ("pump",), ("works",))
    assert above.neighbours() == {"far": ("high",), "high": ("far",)}


def test_pump_with_two_mains_joins_them() -> None:
    """What hangs on one pump has one head."""
    city = _city({"pump": "pump", "a": "junction", "b": "junction"}, [("pump", "a", {}), ("pump", "b", {})])
    (part,) = parts(city)
    assert part.junctions == ("a", "b")


def test_head_is_lost_by_the_formula() -> None:
    """One main, 30 L/s."""
    heads = _line((0, 1)).heads(np.array([[30.0, -30.0]]))
    assert heads[0] == pytest.approx([0.0, -FORMULA], rel=1e-3)


def test_two_mains_share_the_flow() -> None:
    """Half the flow in each loses less, by the law's exponent."""
    heads = _line((0, 1), (1, 0)).heads(np.array([[30.0, -30.0]]))
    assert heads[0, 1] == pytest.approx(-FORMULA / 2**1.852, rel=1e-3)


@given(st.lists(st.floats(0.5, 30), min_size=5, max_size=5))
def test_nothing_is_lost_at_a_junction(draws: list[float]) -> None:
    """What flows to each node of a ring with a crossing, less what flows on, is what is drawn there."""
    part = _line((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (1, 4))
    inflows = np.array([sum(draws), *(-draw for draw in draws)])
    heads = part.heads(inflows[None])[0]
    flows = np.zeros(6)
    for (one, other), resistance in zip(part.ends, part.resistance, strict=True):
        lost = heads[one] - heads[other]
        flow = np.sign(lost) * max(
            (abs(lost) / resistance) ** (1 / 1.852) if abs(lost) > resistance * 0.5**1.852 else 0.0,
            min(abs(lost) / (resistance * 0.5**0.852), 0.5),
        )
        flows[one] += flow
        flows[other] -= flow
    assert flows == pytest.approx(inflows, abs=0.1)


def test_responses_are_tangents() -> None:
    """A little more drawn at each node lowers heads as foretold."""
    part = _line((0, 1), (1, 2), (2, 3), (3, 0))
    inflows = np.array([40.0, -10.0, -20.0, -10.0])
    heads = part.heads(inflows[None])[0]
    more = np.repeat(inflows[None], 4, axis=0) - 0.5 * np.eye(4)
    foretold = heads - 0.5 * part.responses(heads).T
    assert part.heads(more)[1:] == pytest.approx(foretold[1:], abs=0.02)


@pytest.mark.parametrize(
    ("value", "expected"), [(3, 3.0), (0.5, 0.5), (0.0, 0.0), (-1.0, 0.0), ("wide", 0.0), (None, 0.0)]
)
def test_measures_are_numbers_above_nothing(value: float | str | None, expected: float) -> None:
    """What an asset register leaves out, or says in words, is no number."""
    assert measure({} if value is None else {"length_m": value}, "length_m") == expected
