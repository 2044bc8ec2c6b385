"""How the pictures of a clip move: exactly, from a drive log's labels, or estimated from the pictures alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from phipd_sim2real.drivelog import CAMERA, OBJECT, TIMESTAMP, DriveLog, column, decode_depth, decode_labels
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import Box, Flow, View, dis_estimator, exact_flow
from phipd_sim2real.waymo.camera_model import Calibration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Flow", "RecordedMotion", "estimated_flow", "flow_between"]

NEEDED = ("camera_image", "camera_calibration", "camera_depth", "camera_semantics", "lidar_box")
MOVABLE_CLASSES = tuple(range(12, 20))
"""CARLA's labels from pedestrian to bicycle."""

INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
ROUND_TRIP_PX, ROUND_TRIP_SHARE = 0.5, 0.05


class RecordedMotion:
    """Exact motion of one camera in one segment of a log with labels."""

    def __init__(self, log: DriveLog, segment: str, camera: int) -> None:
        """Reads the labels; pictures stay encoded until they are asked for.

        Raises:
            UsageError: the segment lacks a table that exact motion needs; see `has_exact_motion`.
        """
        missing = [name for name in NEEDED if name not in log.components(segment)]
        if missing:
            raise UsageError(
                f"Segment {segment} of {log.root} has no {', '.join(missing)}, which exact motion needs; "
                "capture with images.labels, or estimate motion from the pictures."
            )
        self._calibration = _calibration(log, segment, camera)
        self._poses = _by_time(log, "camera_image", segment, camera, ["pose.transform"])
        self._depths = _by_time(log, "camera_depth", segment, camera, ["image", "metres_per_unit"])
        self._semantics = _by_time(log, "camera_semantics", segment, camera, ["image"])
        self._boxes = _boxes(log.table("lidar_box", segment))

    @property
    def timestamps_micros(self) -> tuple[int, ...]:
        """Times of the camera's pictures, in order."""
        return tuple(sorted(self._poses))

    def flow(self, first_micros: int, second_micros: int) -> Flow:
        """Motion from the picture at one time to that at another, in either order of time."""
        return exact_flow(self._view(first_micros), self._view(second_micros), self._calibration)

    def _view(self, time: int) -> View:
        depth = decode_depth(*self._depths[time])
        movable = np.isin(decode_labels(*self._semantics[time]), MOVABLE_CLASSES)
        (pose,) = self._poses[time]
        return View(depth, movable, np.reshape(pose, (4, 4)).astype(np.float64), self._boxes.get(time, {}))


def flow_between(log: DriveLog, segment: str, camera: int, first_micros: int, second_micros: int) -> Flow:
    """Exact motion between two recorded pictures; for many of them keep one `RecordedMotion`.

    Raises:
        UsageError: the segment lacks a table that exact motion needs.
    """
    return RecordedMotion(log, segment, camera).flow(first_micros, second_micros)


def has_exact_motion(log: DriveLog, segment: str) -> bool:
    """Whether a segment has the tables that exact motion needs."""
    return set(NEEDED) <= set(log.components(segment))


def estimated_flow(first: np.ndarray, second: np.ndarray) -> Flow:
    """Motion seen between two pictures by DIS, see `dis_estimator`.

    Args:
        first: (H, W, 3) uint8 RGB, sides of at least 32.
        second: same shape.

    Returns:
        The flow; valid where following it and the flow back ends within 0.5 px + 5 % of its length of the start.
    """
    grey = [cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in (first, second)]
    estimator = dis_estimator()
    forward, backward = estimator.calc(*grey, None), estimator.calc(*grey[::-1], None)
    rows, columns = np.indices(grey[0].shape, np.float32)
    x, y = columns + forward[..., 0], rows + forward[..., 1]
    returned = forward + cv2.remap(backward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    allowed = ROUND_TRIP_PX + ROUND_TRIP_SHARE * np.linalg.norm(forward, axis=-1)
    height, width = grey[0].shape
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    return Flow(forward, inside & (np.linalg.norm(returned, axis=-1) <= allowed))


def _by_time(log: DriveLog, component: str, segment: str, camera: int, fields: list[str]) -> dict[int, tuple[Any, ...]]:
    """Time -> the values of the fields, in their order."""
    names = [column(component, field) for field in fields]
    table = log.table(component, segment, columns=names)
    table = table[table[CAMERA] == camera]
    return {int(time): values for time, *values in zip(table[TIMESTAMP], *(table[name] for name in names), strict=True)}


def _calibration(log: DriveLog, segment: str, camera: int) -> Calibration:
    table = log.table("camera_calibration", segment)
    row = table[table[CAMERA] == camera].iloc[0]

    def value(name: str) -> Any:
        return row[column("camera_calibration", name)]

    return Calibration(
        intrinsic=np.array([value(f"intrinsic.{name}") for name in INTRINSICS]),
        extrinsic=np.array(value("extrinsic.transform"), dtype=np.float64).reshape(4, 4),
        width=int(value("width")),
        height=int(value("height")),
    )


def _boxes(table: pd.DataFrame) -> dict[int, dict[str, Box]]:
    """Time -> the boxes of that time by actor."""
    at: dict[int, dict[str, Box]] = {}
    fields = [f"box.{part}.{axis}" for part in ("center", "size") for axis in "xyz"]
    columns = (table[column("lidar_box", name)] for name in (*fields, "box.heading"))
    for time, actor, *values in zip(table[TIMESTAMP], table[OBJECT], *columns, strict=True):
        at.setdefault(int(time), {})[actor] = _box(np.array(values[:3]), np.array(values[3:6]), values[6])
    return at


def _box(centre: np.ndarray, size: np.ndarray, heading: float) -> Box:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
    pose[:3, 3] = centre
    return Box(pose, size)
