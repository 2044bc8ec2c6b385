"""Boxes of other road users along the future of a frame, from a drive log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.drivelog import OBJECT, TIMESTAMP, DriveLog, column
from phipd_sim2real.drivelog.schema import BOX_CYCLIST, BOX_PEDESTRIAN, BOX_VEHICLE
from phipd_sim2real.geometry import FUTURE_TIMES_S, covered, invert, transform_points, yaw_of

Array = NDArray[np.float64]

CLASSES = (BOX_VEHICLE, BOX_PEDESTRIAN, BOX_CYCLIST)
"""Signs are left out: they stand beside the road and their boxes hang over it."""


@dataclass(frozen=True, eq=False)
class Track:
    """One object of a segment.

    Attributes:
        times_s: (N,) increasing seconds, on the clock of the log.
        poses: (N, 4) x, y, z in the world, metres, and the heading, rad without jumps.
        sizes: (N, 2) length and width, metres.
    """

    times_s: Array
    poses: Array
    sizes: Array


def road_user_tracks(log: DriveLog, segment: str, times_s: Array, poses_vehicle_in_world: Array) -> list[Track] | None:
    """The road users of a segment in the world frame; None where the log has no boxes.

    Args:
        log: the drive log.
        segment: of it.
        times_s: (N,) times of the vehicle's poses.
        poses_vehicle_in_world: (N, 4, 4).
    """
    if "lidar_box" not in log.components(segment):
        return None
    fields = [*(f"box.center.{axis}" for axis in "xyz"), "box.heading", "box.size.x", "box.size.y", "type"]
    table = log.table("lidar_box", segment, [column("lidar_box", field) for field in fields])
    table = table[table[column("lidar_box", "type")].isin(CLASSES)]
    pose_of = dict(zip(np.round(times_s * 1e6).astype(np.int64).tolist(), poses_vehicle_in_world, strict=True))
    tracks = []
    for _, rows in table[table[TIMESTAMP].isin(pose_of)].groupby(OBJECT, sort=True):
        values = rows[[column("lidar_box", field) for field in fields[:6]]].to_numpy(np.float64)
        stamps = rows[TIMESTAMP].to_numpy()
        vehicle = np.stack([pose_of[stamp] for stamp in stamps.tolist()])
        centres = np.stack([transform_points(pose, xyz) for pose, xyz in zip(vehicle, values[:, :3], strict=True)])
        heading = np.unwrap(values[:, 3] + yaw_of(vehicle))
        tracks.append(Track(stamps * 1e-6, np.column_stack([centres, heading]), values[:, 4:]))
    return tracks


def future_road_users(tracks: list[Track], t0_s: float, pose_vehicle_in_world: Array) -> NDArray[np.float32]:
    """Boxes at the times of the waypoints, in the vehicle frame at t0.

    Objects are interpolated between the frames of the log, and absent where it does not show them.

    Returns:
        (M, 6) index of the waypoint, x, y, length, width (m), heading (rad), as in `PlannerSample.road_users`.
    """
    times, world_in_vehicle = t0_s + FUTURE_TIMES_S, invert(pose_vehicle_in_world)
    boxes = [np.zeros((0, 6))]
    for track in tracks:
        if len(track.times_s) < 2:
            continue
        seen = np.flatnonzero(covered(track.times_s, times))
        poses, sizes = (_interpolated(track.times_s, values, times[seen]) for values in (track.poses, track.sizes))
        centres = transform_points(world_in_vehicle, poses[:, :3])
        heading = poses[:, 3] - yaw_of(pose_vehicle_in_world)
        boxes.append(np.column_stack([seen, centres[:, :2], sizes, heading]))
    return np.concatenate(boxes).astype(np.float32)


def _interpolated(times_s: Array, values: Array, at: Array) -> Array:
    return np.stack([np.interp(at, times_s, column_) for column_ in values.T], axis=1)
