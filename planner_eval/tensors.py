"""Samples as arrays of the planner's input size: each picture is resized once and kept as uint8."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo import Calibration, PlannerSample
from planner_eval.config import PlannerSettings

LEFT, RIGHT = 2, 3


@dataclass(frozen=True, eq=False)
class SampleArrays:
    """N samples for C cameras.

    Attributes:
        images: (N, C, 3, H, W) uint8 RGB.
        projection: (N, C, 3, 4) float32, see `seen_projection`.
        past: (N, 16, 6) float32 m, m/s, m/s², vehicle frame at t = 0, 4 Hz.
        intent: (N,) int64 0 unknown, 1 straight, 2 left, 3 right.
        future: (N, 20, 2) float32 m; 0 where not valid.
        future_valid: (N, 20) bool.
    """

    images: NDArray[np.uint8]
    projection: NDArray[np.float32]
    past: NDArray[np.float32]
    intent: NDArray[np.int64]
    future: NDArray[np.float32]
    future_valid: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: NDArray[np.int64]) -> SampleArrays:
        """The samples of the given indices, copied."""
        return SampleArrays(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[SampleArrays]) -> SampleArrays:
        """The samples of several, one after another."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def mirrored(self, chosen: NDArray[np.bool_]) -> SampleArrays:
        """Mirrors the (N,) chosen samples left to right: pictures, cameras, path and intent."""
        pick = chosen.reshape(-1, 1, 1)
        swapped = np.select([self.intent == LEFT, self.intent == RIGHT], [RIGHT, LEFT], self.intent)
        flipped = PICTURE_MIRROR @ self.projection @ VEHICLE_MIRROR
        return SampleArrays(
            images=np.where(pick[..., None, None], self.images[..., ::-1], self.images),
            projection=np.where(pick[..., None], flipped, self.projection),
            past=np.where(pick, self.past * PAST_MIRROR, self.past),
            intent=np.where(chosen, swapped, self.intent),
            future=np.where(pick, self.future * FUTURE_MIRROR, self.future),
            future_valid=self.future_valid,
        )


PAST_MIRROR = np.array([1, -1] * 3, dtype=np.float32)
FUTURE_MIRROR = np.array([1, -1], dtype=np.float32)
PICTURE_MIRROR = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
VEHICLE_MIRROR = np.diag(np.array([1, -1, 1, 1], dtype=np.float32))


def as_arrays(
    samples: Iterable[PlannerSample], settings: PlannerSettings, cameras: Sequence[int] | None = None
) -> SampleArrays:
    """Gathers samples; their full-size pictures are let go one by one.

    Args:
        samples: at least one.
        settings: size and rows of the seen pictures.
        cameras: ids to gather; None takes those of the settings. A planner that sees nothing needs none.

    Raises:
        ValueError: a sample lacks a camera that the planner needs, or there is no sample.
    """
    rows = [_row(sample, settings, settings.cameras if cameras is None else cameras) for sample in samples]
    if not rows:
        raise ValueError("There are no samples to gather; give at least one.")
    return SampleArrays(*(np.stack(column) for column in zip(*rows, strict=True)))


def seen_projection(calibration: Calibration, crop: tuple[float, float]) -> NDArray[np.float32]:
    """The matrix that takes points of the vehicle frame to shares of the seen picture.

    Args:
        calibration: its pinhole part is used; the lens distortion is far below a cell of the backbone's map.
        crop: first and last row that the planner sees, as shares of the height.

    Returns:
        (3, 4) float32: homogeneous (u, v, depth in m), u and v from 0 to 1 over the seen width and height.
    """
    f_u, f_v, c_u, c_v = calibration.intrinsic[:4]
    height = calibration.height * (crop[1] - crop[0])
    top = calibration.height * crop[0]
    pixels = np.array(  # camera frame: x forward, y left, z up
        [[c_u / calibration.width, -f_u / calibration.width, 0], [(c_v - top) / height, 0, -f_v / height], [1, 0, 0]]
    )
    return (pixels @ np.linalg.inv(calibration.extrinsic)[:3]).astype(np.float32)


def _row(sample: PlannerSample, settings: PlannerSettings, cameras: Sequence[int]) -> tuple[np.ndarray, ...]:
    missing = [camera for camera in cameras if camera not in sample.images]
    if missing:
        raise ValueError(f"Sample {sample.key} has no picture of camera {missing}; it has {list(sample.images)}.")
    images = [_seen(sample.images[camera], settings) for camera in cameras]
    projections = [seen_projection(sample.calibrations[camera], settings.crop) for camera in cameras]
    future = np.where(sample.future_valid[:, None], sample.future, 0.0)
    return (
        np.array(images, np.uint8).reshape(-1, 3, settings.image_height, settings.image_width),
        np.array(projections, np.float32).reshape(-1, 3, 4),
        sample.past.astype(np.float32),
        np.int64(sample.intent),
        future.astype(np.float32),
        sample.future_valid,
    )


def _seen(image: NDArray[np.uint8], settings: PlannerSettings) -> NDArray[np.uint8]:
    """(3, H, W): the planner's rows of a picture at the planner's size."""
    top, bottom = (round(share * len(image)) for share in settings.crop)
    size = (settings.image_width, settings.image_height)
    return cv2.resize(image[top:bottom], size, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
