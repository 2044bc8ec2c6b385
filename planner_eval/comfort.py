"""Whether a plan is comfortable: accelerations, jerks and turning rates within nuPlan's limits.

The limits are those of the `ego_is_comfortable` metric of nuPlan (Caesar et al., arXiv 2106.11810; nuplan-devkit),
taken there from human driving. Its limit on angular acceleration is left out: at 4 Hz it measures noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

Array = NDArray[np.float64]

LIMITS = {
    "longitudinal_acceleration": (-4.05, 2.40),
    "lateral_acceleration": (-4.89, 4.89),
    "longitudinal_jerk": (-4.13, 4.13),
    "jerk": (0.0, 8.37),
    "yaw_rate": (-0.95, 0.95),
}
"""Quantity -> least and largest comfortable value, m/s², m/s³ and rad/s."""

STEP_SECONDS = 0.25
WINDOW, ORDER = 7, 3
"""Smoothing as in nuPlan, by a Savitzky-Golay filter; 7 waypoints at 4 Hz span 1.5 s."""

STANDING_M_S = 0.5
"""Below this speed the direction of travel is noise and the yaw rate counts as 0."""


def motion(past: Array, trajectory: Array) -> dict[str, Array]:
    """What a passenger would feel along a plan; what was driven before counts, so a plan cannot begin with a jump.

    Args:
        past: (16, 6) states as in `PlannerSample.past`.
        trajectory: (20, 2) metres.

    Returns:
        Quantity of `LIMITS` -> (17,): the last three waypoints have no whole window around them.
    """
    track = np.concatenate([past[:, :2], trajectory])
    whole = slice(len(past), len(track) - WINDOW // 2)
    velocity, acceleration, jerk = (
        savgol_filter(track, WINDOW, ORDER, order, STEP_SECONDS, axis=0, mode="nearest")[whole] for order in (1, 2, 3)
    )
    speed = np.linalg.norm(velocity, axis=1)
    moving = speed > STANDING_M_S
    forward = np.where(moving[:, None], velocity / np.maximum(speed, STANDING_M_S)[:, None], [1.0, 0.0])
    lateral = forward[:, 0] * acceleration[:, 1] - forward[:, 1] * acceleration[:, 0]
    return {
        "longitudinal_acceleration": (forward * acceleration).sum(axis=1),
        "lateral_acceleration": lateral,
        "longitudinal_jerk": (forward * jerk).sum(axis=1),
        "jerk": np.linalg.norm(jerk, axis=1),
        "yaw_rate": np.where(moving, lateral / np.maximum(speed, STANDING_M_S), 0.0),
    }


def comfortable(past: Array, trajectory: Array) -> bool:
    """Whether all quantities stay within `LIMITS` all along the plan."""
    felt = motion(past, trajectory)
    return all(low <= felt[name].min() and felt[name].max() <= high for name, (low, high) in LIMITS.items())
