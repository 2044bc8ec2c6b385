"""Frames of the Perception dataset: pictures, pose, calibrations and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.protos import decode, read_calibrations, read_jpegs

BOX_TYPES = ("unknown", "vehicle", "pedestrian", "sign", "cyclist")


@dataclass(frozen=True, eq=False)
class Box:
    """One labelled object.

    Attributes:
        object_id: the same over the frames of a segment.
        kind: one of `BOX_TYPES`.
        centre_vehicle: (3,) float64 metres.
        size: (3,) float64 length, width, height in metres.
        heading: rad about z in the vehicle frame; 0 points along x.
    """

    object_id: str
    kind: str
    centre_vehicle: np.ndarray
    size: np.ndarray
    heading: float


@dataclass(frozen=True, eq=False)
class PerceptionFrame:
    """One frame, its pictures still encoded.

    Attributes:
        segment: context name.
        timestamp_micros: time of the frame.
        pose_vehicle_in_world: (4, 4) float64.
        jpegs: camera id -> JPEG bytes, by rising id.
        calibrations: camera id -> calibration.
        boxes: the lidar labels.
        stats: time_of_day, location and weather in Waymo's words.
        origin: file and record, for error sentences.
    """

    segment: str
    timestamp_micros: int
    pose_vehicle_in_world: np.ndarray
    jpegs: dict[int, bytes]
    calibrations: dict[int, Calibration]
    boxes: tuple[Box, ...]
    stats: dict[str, str]
    origin: str

    def images(self, cameras: Sequence[int] | None = None) -> dict[int, np.ndarray]:
        """Decodes pictures, (H, W, 3) uint8 RGB per camera id; None decodes all there are.

        Raises:
            UsageError: a camera is absent or its bytes are no JPEG.
        """
        return decode(self.jpegs, cameras, self.origin)


def read_frame(message: Any, origin: str) -> PerceptionFrame:
    """The contents of a Frame message; `origin` names file and record in the errors' sentences.

    Raises:
        SampleError: a calibration is incomplete.
    """
    stats = message.context.stats
    return PerceptionFrame(
        segment=message.context.name,
        timestamp_micros=message.timestamp_micros,
        pose_vehicle_in_world=np.array(message.pose.transform, dtype=np.float64).reshape(4, 4),
        jpegs=read_jpegs(message.images),
        calibrations=read_calibrations(message.context, origin),
        boxes=tuple(_box(label) for label in message.laser_labels),
        stats={"time_of_day": stats.time_of_day, "location": stats.location, "weather": stats.weather},
        origin=origin,
    )


def _box(label: Any) -> Box:
    box = label.box
    return Box(
        object_id=label.id,
        kind=BOX_TYPES[label.type],
        centre_vehicle=np.array([box.center_x, box.center_y, box.center_z]),
        size=np.array([box.length, box.width, box.height]),
        heading=box.heading,
    )
