"""The driver's intent, read from the drive itself once it is over."""

from __future__ import annotations

import numpy as np

from phipd_sim2real.drivelog.schema import INTENT_LEFT, INTENT_RIGHT, INTENT_STRAIGHT

LOOK_AHEAD_S = 5.0
"""A turn is announced this long before its junction."""
TURN_RADIANS = np.radians(30.0)


def intents(times_s: np.ndarray, yaw_in_world: np.ndarray, in_junction: np.ndarray) -> np.ndarray:
    """Intent at every moment: the turn taken in the junction that is being crossed or comes next.

    Args:
        times_s: (N,) increasing seconds.
        yaw_in_world: (N,) rad, right-handed; a left turn increases it.
        in_junction: (N,) bool.

    Returns:
        (N,) int8: 1 straight, 2 left, 3 right. Bends between junctions are straight on.
    """
    result = np.full(len(times_s), INTENT_STRAIGHT, np.int8)
    yaw = np.unwrap(yaw_in_world)
    for first, last in reversed(_runs(in_junction)):
        turned = yaw[min(last + 1, len(yaw) - 1)] - yaw[max(first - 1, 0)]
        intent = INTENT_STRAIGHT if abs(turned) < TURN_RADIANS else INTENT_LEFT if turned > 0 else INTENT_RIGHT
        result[(times_s >= times_s[first] - LOOK_AHEAD_S) & (np.arange(len(yaw)) <= last)] = intent
    return result


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(stop) - 1) for first, stop in edges.reshape(-1, 2)]
