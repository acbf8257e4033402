"""Python's search for cycles, kept away from what is large and stays: it finds none there, and takes longer
than all the building.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def building() -> Iterator[None]:
    """Build what stays: nobody looks for cycles in it, neither meanwhile nor later."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
