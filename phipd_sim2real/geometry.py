"""Frames of reference, and the one place where CARLA's left-handed axes turn right-handed.

Right-handed frames here have x forward, y left, z up and metres. CARLA's have y to the right and a yaw that
grows clockwise seen from above. Mirroring y maps one onto the other: a rotation R becomes S R S with
S = diag(1, -1, 1), so yaw and pitch change sign and roll stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAST_TIMES_S = np.arange(-15, 1) * 0.25
"""(16,) s relative to t0: the past states of a planner sample."""

FUTURE_TIMES_S = np.arange(1, 21) * 0.25
"""(20,) s relative to t0: the future waypoints of a planner sample."""

TIME_TOLERANCE_S = 0.001
LONGEST_GAP_S = 0.35
"""Poses further apart than this are not interpolated: at 10 Hz it bridges two lost frames."""


@dataclass(frozen=True, eq=False)
class EgoStates:
    """Motion around t0 in the vehicle frame of t0.

    Attributes:
        past: (16, 6) float64 x, y, vx, vy, ax, ay in m, m/s, m/s² at t = -3.75 ... 0 s.
        future: (20, 2) float64 x, y in m at t = 0.25 ... 5 s; NaN where not valid.
        future_valid: (20,) bool, False beyond the trajectory or inside a gap of it.
    """

    past: np.ndarray
    future: np.ndarray
    future_valid: np.ndarray


def pose_from_carla(location_xyz: Sequence[float], rotation_pitch_yaw_roll_degrees: Sequence[float]) -> np.ndarray:
    """Turns a CARLA transform into a right-handed pose.

    Args:
        location_xyz: metres, CARLA axes (y to the right).
        rotation_pitch_yaw_roll_degrees: in the order of `carla.Rotation`.

    Returns:
        (4, 4) float64, body -> parent, both right-handed.
    """
    pitch, yaw, roll = np.radians(np.asarray(rotation_pitch_yaw_roll_degrees, dtype=np.float64))
    pose = np.eye(4)
    pose[:3, :3] = _rotation_z(-yaw) @ _rotation_y(-pitch) @ _rotation_x(roll)
    pose[:3, 3] = vector_from_carla(location_xyz)
    return pose


def pose_to_carla(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `pose_from_carla`.

    Returns:
        location: (3,) float64 metres, CARLA axes.
        rotation: (3,) float64 pitch, yaw, roll in degrees; pitch in [-90, 90], the others in [-180, 180].
    """
    pose = np.asarray(pose, dtype=np.float64)
    rotation = pose[:3, :3]
    pitch = np.arctan2(rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0]))
    yaw = -np.arctan2(rotation[1, 0], rotation[0, 0])
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    return vector_from_carla(pose[:3, 3]), np.degrees([pitch, yaw, roll])


def vector_from_carla(xyz: Sequence[float] | np.ndarray) -> np.ndarray:
    """Mirrors (..., 3) points, velocities or accelerations between CARLA's axes and ours; its own inverse."""
    return np.asarray(xyz, dtype=np.float64) * (1.0, -1.0, 1.0)


def angular_velocity_from_carla(degrees_per_second_xyz: Sequence[float] | np.ndarray) -> np.ndarray:
    """Turns CARLA's (..., 3) angular velocity in deg/s into rad/s about right-handed axes.

    A rotation axis is a pseudo-vector: mirroring y flips its x and z, not its y.
    """
    return np.radians(np.asarray(degrees_per_second_xyz, dtype=np.float64) * (-1.0, 1.0, -1.0))


def invert(pose: np.ndarray) -> np.ndarray:
    """Inverse of rigid poses, (..., 4, 4)."""
    pose = np.asarray(pose, dtype=np.float64)
    rotation = np.swapaxes(pose[..., :3, :3], -1, -2)
    inverse = np.zeros_like(pose)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -(rotation @ pose[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def transform_points(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps (..., 3) points of the body frame into the parent frame by one (4, 4) pose."""
    return np.asarray(points, dtype=np.float64) @ pose[:3, :3].T + pose[:3, 3]


def yaw_of(pose: np.ndarray) -> np.ndarray:
    """Heading of (..., 4, 4) poses about z, rad in (-pi, pi], counter-clockwise from above. Shape (...)."""
    return np.arctan2(pose[..., 1, 0], pose[..., 0, 0])


def ego_states(timestamps_s: np.ndarray, poses_vehicle_in_world: np.ndarray, t0_s: float) -> EgoStates:
    """Past and future of the vehicle at 4 Hz, in its frame at t0.

    The past uses nothing after t0: its derivatives are one-sided there, exact for constant acceleration.

    Args:
        timestamps_s: (N,) increasing seconds, about 10 Hz.
        poses_vehicle_in_world: (N, 4, 4).
        t0_s: a time at which there is a pose, and 3.75 s of poses before it.

    Raises:
        ValueError: there is no pose at t0, or the past is too short or has a gap.
    """
    times = np.asarray(timestamps_s, dtype=np.float64) - t0_s
    now = int(np.argmin(np.abs(times)))
    if abs(times[now]) > TIME_TOLERANCE_S:
        raise ValueError(f"There is no vehicle pose at {t0_s:.3f} s (the nearest is {times[now]:+.3f} s away).")
    positions = transform_points(invert(poses_vehicle_in_world[now]), np.asarray(poses_vehicle_in_world)[:, :3, 3])
    past_covered = covered(times[: now + 1], PAST_TIMES_S)
    if not past_covered.all():
        raise ValueError(
            f"The poses before {t0_s:.3f} s start at {times[0]:+.3f} s or have a gap; "
            f"a sample needs {-PAST_TIMES_S[0]} s of past. Choose a later frame."
        )
    past = _interpolate(times[: now + 1], _motion(times[: now + 1], positions[: now + 1, :2]), PAST_TIMES_S)
    future_valid = covered(times, FUTURE_TIMES_S)
    future = _interpolate(times, positions[:, :2], FUTURE_TIMES_S)
    return EgoStates(past, np.where(future_valid[:, None], future, np.nan), future_valid)


def _motion(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(N, 6) position, velocity and acceleration of an (N, 2) track."""
    velocity = np.gradient(positions, times, axis=0, edge_order=2)
    acceleration = np.gradient(velocity, times, axis=0, edge_order=2)
    return np.concatenate([positions, velocity, acceleration], axis=1)


def _interpolate(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(at, times, column) for column in values.T], axis=1)


def covered(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which of the times `at` (T,) lie within the increasing `times` (N,) and not in a gap of them; seconds."""
    right = np.clip(np.searchsorted(times, at - TIME_TOLERANCE_S), 1, len(times) - 1)
    inside = (at >= times[0] - TIME_TOLERANCE_S) & (at <= times[-1] + TIME_TOLERANCE_S)
    return inside & (times[right] - times[right - 1] <= LONGEST_GAP_S)


def _rotation_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _rotation_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _rotation_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
