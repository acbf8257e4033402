"""The registry of decoders."""

import pytest

from collectors.decoders import DECODERS, Measured, decoder


def test_a_name_is_taken_once() -> None:
    """A second decoder of one name is a mistake that stops the start, not a silent winner."""

    def other(_payload: bytes) -> Measured:
        return Measured(0, {})

    with pytest.raises(
        ValueError, match=r"^decoder 'telemetry' is defined twice: collectors\.decoders\.telemetry and "
    ):
        decoder("telemetry")(other)
    assert DECODERS["telemetry"] is not other
