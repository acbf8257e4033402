"""Decoders: what a payload says, in one common form, whatever the device. Importing this registers all.

A new format is a new module here, a line below, and cases in ``tests/golden``.
"""

from collectors.decoders import event, telemetry
from collectors.decoders.registry import DECODERS, Decoder, Happened, Measured, decoder

__all__ = ["DECODERS", "Decoder", "Happened", "Measured", "decoder", "event", "telemetry"]
