"""Files with the place of everything in them: read as JSON where they are JSON."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.yamlfile import Document

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(content=st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON_VALUES, min_size=1, max_size=3))
def test_json_read_as_json_is_json_read_as_yaml(content: dict[str, Any]) -> None:
    """The quick way and the one with places say the same; a place that is asked for is the same too."""
    text = json.dumps(content)
    quick, slow = Document("city.json", text), Document("city.json", f" {text}")
    name = next(iter(content))

    assert quick.data == slow.data == content
    assert quick.faults == slow.faults == []
    assert quick.line([name]) == slow.line([name]) == 1
    assert quick.known([name, "nowhere"]) == slow.known([name, "nowhere"])


def test_a_key_that_stands_twice_in_json_is_told() -> None:
    """What JSON would let pass in silence is a fault, with its place."""
    (fault,) = Document("city.json", '{"city": "a",\n "city": "b"}').faults

    assert (fault.line, fault.column) == (2, 2)
    assert "the key 'city' stands here a second time" in fault.message
