"""What happens in a drive, told by its poses and boxes alone: going straight, turning, stopping, following."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phipd_sim2real.capture.variety import SCENES, Scene

STANDING_M_S = 0.5
TURN_WINDOW_S = 3.0
TURN_RADIANS = np.radians(20.0)
"""Least change of heading within the window."""
TURN_RADIUS_M = 30.0
"""Wider arcs are bends of a road, not turns at a junction."""

FOLLOW_RANGE_M = (3.0, 35.0)
LANE_HALF_WIDTH_M = 1.8
SAME_WAY_RADIANS = np.radians(35.0)

ENOUGH_TURN_S, ENOUGH_STOP_S, ENOUGH_FOLLOW_S = 2.0, 2.0, 5.0


@dataclass(frozen=True, eq=False)
class DriveTrack:
    """The ego's motion over one drive, at 10 Hz.

    Attributes:
        times_s: (N,) seconds.
        speeds: (N,) m/s.
        yaws: (N,) rad in the world, counter-clockwise.
        ahead_m: (N,) metres to the middle of the next vehicle in the ego's lane that drives its way; inf without.
    """

    times_s: np.ndarray
    speeds: np.ndarray
    yaws: np.ndarray
    ahead_m: np.ndarray


def track(times_s: np.ndarray, poses_vehicle_in_world: np.ndarray, ahead_m: np.ndarray) -> DriveTrack:
    """Speeds and headings of (N, 4, 4) poses, N at least 3."""
    positions, yaws = (
        poses_vehicle_in_world[:, :3, 3],
        np.unwrap(np.arctan2(poses_vehicle_in_world[:, 1, 0], poses_vehicle_in_world[:, 0, 0])),
    )
    speeds = np.linalg.norm(np.gradient(positions, times_s, axis=0), axis=1)
    return DriveTrack(times_s, speeds, yaws, ahead_m)


def distance_ahead(centres_vehicle: np.ndarray, headings: np.ndarray) -> float:
    """Metres to the next vehicle in the ego's lane, inf without.

    Args:
        centres_vehicle: (M, 2) middles of vehicles' boxes in the vehicle frame, metres.
        headings: (M,) rad in the vehicle frame.
    """
    x, y = centres_vehicle.reshape(-1, 2).T
    same_way = np.abs(np.arctan2(np.sin(headings), np.cos(headings))) < SAME_WAY_RADIANS
    near, far = FOLLOW_RANGE_M
    candidates = x[(x > near) & (x < far) & (np.abs(y) < LANE_HALF_WIDTH_M) & same_way]
    return float(candidates.min()) if len(candidates) else np.inf


def moments(drive: DriveTrack) -> np.ndarray:
    """(N,) index into `SCENES` of every moment: standing before turning before following before straight."""
    driven = np.concatenate([[0], np.cumsum(np.diff(drive.times_s) * (drive.speeds[1:] + drive.speeds[:-1]) / 2)])
    turned, moved = (np.abs(_over_window(drive.times_s, values)) for values in (drive.yaws, driven))
    result = np.full(len(drive.times_s), SCENES.index("straight"))
    result[np.isfinite(drive.ahead_m)] = SCENES.index("follow")
    result[(turned > TURN_RADIANS) & (turned * TURN_RADIUS_M > moved)] = SCENES.index("turn")
    result[drive.speeds < STANDING_M_S] = SCENES.index("stop")
    return result


def seconds_of(drive: DriveTrack) -> dict[Scene, float]:
    """Scene -> seconds of it in a drive."""
    found = moments(drive)
    duration = drive.times_s[-1] - drive.times_s[0]
    return {scene: float(duration * np.mean(found == index)) for index, scene in enumerate(SCENES)}


def shows(drive: DriveTrack, scene: Scene) -> bool:
    """Whether a drive shows a scene; one that goes straight neither turns nor stops."""
    seconds = seconds_of(drive)
    if scene == "straight":
        return seconds["turn"] == seconds["stop"] == 0
    enough = {"turn": ENOUGH_TURN_S, "stop": ENOUGH_STOP_S, "follow": ENOUGH_FOLLOW_S}
    return seconds[scene] >= enough[scene]


def _over_window(times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,) change of a (N,) quantity over `TURN_WINDOW_S` around every moment."""
    half = TURN_WINDOW_S / 2
    return np.interp(times_s + half, times_s, values) - np.interp(times_s - half, times_s, values)
