"""Chance that is the same at every run: each use has dice of its own, named and seeded.

A twin day, the same but for one cause, throws the same dice: whatever differs, the cause has brought.
"""

import hashlib

import numpy as np


def dice(seed: int, *name: str | int) -> np.random.Generator:
    """Dice for one use; other names give other dice, whatever was thrown before."""
    text = "/".join(map(str, (seed, *name)))
    return np.random.Generator(
        np.random.PCG64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest()))
    )
