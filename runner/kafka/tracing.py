"""Trace context: to which trace a record belongs (W3C ``traceparent``, which OpenTelemetry reads).

In:  messages of a batch; the headers of the record that a worker took.
Out: the header of what follows from them.
Promises: we record no spans, so a context is passed on as it came. What follows from one record always has
the same. Nobody decides anything by it.
"""

import os
import re
from collections.abc import Set as AbstractSet

TRACEPARENT = "traceparent"
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""Version, trace, parent, flags; later versions may add to it."""
LONGEST = 100


def of_batch(traces: AbstractSet[str]) -> str:
    """The context of what comes of messages with these: theirs where all have the same, else a new one.

    A record holds readings of many messages, and a header has room for one context: which reading came with
    which, nobody could tell. The new one is not sampled, as there is no span of ours to be found.
    """
    if len(traces) == 1:
        (only,) = traces
        if len(only) <= LONGEST and _FORM.fullmatch(only):
            return only
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-00"
