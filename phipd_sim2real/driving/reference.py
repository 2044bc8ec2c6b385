"""The reference: how a careful driver would go on along the route, at 4 Hz; other road users are unknown to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.driving.routes import SPACING_M, Route
from phipd_sim2real.geometry import FUTURE_TIMES_S

Array = NDArray[np.float64]

LATERAL_M_S2 = 2.5
BRAKE_M_S2 = 2.5
FASTER_M_S2 = 2.0
BEFORE_LINE_M = 1.0
FRONT_M = 4.0
"""From the rear axle to the front bumper."""
STEP_S = 0.05


def reference_path(route: Route, along_m: float, speed: float, cruise_m_s: float, stop_m: float | None) -> Array:
    """(20, 2) world positions of the next 5 s: the centre of the lane, slower in bends, standing before a red light.

    Args:
        route: to follow.
        along_m: where the car is on it.
        speed: m/s now.
        cruise_m_s: speed on a straight road.
        stop_m: stop line that may not be crossed, metres along the route.
    """
    limits = _speed_limits(route, cruise_m_s)
    known = np.arange(len(limits)) * SPACING_M
    end = np.inf if stop_m is None else stop_m - BEFORE_LINE_M - FRONT_M
    place, ways = along_m, []
    for _ in range(round(FUTURE_TIMES_S[-1] / STEP_S)):
        before_line = np.sqrt(2 * BRAKE_M_S2 * max(end - place, 0.0))
        wanted = min(float(np.interp(place, known, limits)), before_line)
        speed = max(min(wanted, speed + FASTER_M_S2 * STEP_S), speed - 2 * BRAKE_M_S2 * STEP_S, 0.0)
        place += speed * STEP_S
        ways.append(place)
    return route.at(np.array(ways)[round(FUTURE_TIMES_S[0] / STEP_S) - 1 :: round(FUTURE_TIMES_S[0] / STEP_S)])


def _speed_limits(route: Route, cruise_m_s: float) -> Array:
    """(N,) m/s: what bends allow, reached by braking in time."""
    curvature = np.abs(np.gradient(route.yaws)) / SPACING_M
    smooth = np.convolve(np.pad(curvature, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    limits = np.minimum(cruise_m_s, np.sqrt(LATERAL_M_S2 / np.maximum(smooth, 1e-6)))
    for index in range(len(limits) - 2, -1, -1):
        limits[index] = min(limits[index], np.sqrt(limits[index + 1] ** 2 + 2 * BRAKE_M_S2 * SPACING_M))
    return limits
