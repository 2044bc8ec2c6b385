"""What every kind of source shares: limits of a frame, and its seed."""

from __future__ import annotations

import hashlib

SMALLEST_SIDE = 32
"""Pixels that both sides of a frame need."""

BATCH = 16
"""Frames that logs, folders and videos hold in memory at a time."""


def frame_seed(seed: int, *key: str | int) -> int:
    """Seed of one frame, from the run's seed and what names the frame, 0 to 2^63 - 1."""
    digest = hashlib.sha256("/".join(map(str, (seed, *key))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
