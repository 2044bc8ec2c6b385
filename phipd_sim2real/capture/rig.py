"""The ego vehicle and its cameras, in Waymo's conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.settings import Settings, load_settings
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES, Calibration


def unset(value: Any) -> bool:
    """Whether an optional setting is left out; it takes no part in the hash of the settings then."""
    return not value


class Lens(Settings):
    """Intrinsics and distortion of one camera, in Waymo's order and OpenCV's radial-tangential model."""

    f_u: float = Field(gt=0)
    """Focal length, px."""

    f_v: float = Field(gt=0)
    """Focal length downwards, px."""

    c_u: float
    """Principal point from the left border, px; the first pixel's centre lies at 0.5."""

    c_v: float
    """Principal point from the upper border, px."""

    k1: float = 0.0
    """Radial distortion, r²."""

    k2: float = 0.0
    """Radial distortion, r⁴."""

    p1: float = 0.0
    """Tangential distortion."""

    p2: float = 0.0
    """Tangential distortion."""

    k3: float = 0.0
    """Radial distortion, r⁶."""

    def intrinsic(self) -> np.ndarray:
        """(9,) float64 in Waymo's order."""
        values = (self.f_u, self.f_v, self.c_u, self.c_v, self.k1, self.k2, self.p1, self.p2, self.k3)
        return np.array(values, dtype=np.float64)


class CameraMount(Settings):
    """A camera fixed to the vehicle: a pinhole given by its field of view, or any lens."""

    camera: int = Field(ge=1, le=8)
    """Waymo's id: 1 FRONT, 2 FRONT_LEFT, 3 FRONT_RIGHT, 4 SIDE_LEFT, 5 SIDE_RIGHT, 6 to 8 to the rear."""

    width: int = Field(ge=16, le=4096)
    """Picture width, px. CARLA renders multiples of 64 most reliably."""

    height: int = Field(ge=16, le=4096)
    """Picture height, px."""

    fov_degrees: float | None = Field(default=None, gt=5, lt=170, exclude_if=unset)
    """Horizontal field of view of a pinhole whose axis meets the middle of the picture; else give `lens`."""

    lens: Lens | None = Field(default=None, exclude_if=unset)
    """Intrinsics and distortion, in place of `fov_degrees`."""

    position_in_vehicle: tuple[float, float, float]
    """x forward, y left, z up from the middle of the rear axle on the ground, metres."""

    yaw_degrees: float = Field(default=0.0, ge=-180, le=180)
    """Counter-clockwise seen from above: positive looks to the left."""

    pitch_degrees: float = Field(default=0.0, ge=-90, le=90)
    """Positive looks up."""

    roll_degrees: float = Field(default=0.0, ge=-180, le=180, exclude_if=unset)
    """Positive leans to the right."""

    @model_validator(mode="after")
    def _has_one_lens(self) -> Self:
        if (self.fov_degrees is None) == (self.lens is None):
            raise ValueError(f"camera {self.camera} must have either fov_degrees (a pinhole) or lens (any intrinsics)")
        return self

    @property
    def name(self) -> str:
        """Waymo's name of the camera."""
        return CAMERA_NAMES[self.camera]

    def pose_camera_in_vehicle(self) -> np.ndarray:
        """(4, 4) float64 extrinsic, camera -> vehicle; camera axes x forward, y left, z up."""
        x, y, z = self.position_in_vehicle
        return pose_from_carla((x, -y, z), (self.pitch_degrees, -self.yaw_degrees, self.roll_degrees))

    def calibration(self) -> Calibration:
        """Waymo calibration."""
        return Calibration(self._intrinsic(), self.pose_camera_in_vehicle(), self.width, self.height)

    def _intrinsic(self) -> np.ndarray:
        if self.lens is not None:
            return self.lens.intrinsic()
        focal = self.width / (2 * np.tan(np.radians(self.fov_degrees) / 2))
        return np.array([focal, focal, self.width / 2, self.height / 2, 0, 0, 0, 0, 0], dtype=np.float64)


class Rig(Settings):
    """An ego vehicle with cameras."""

    vehicle: str = "vehicle.tesla.model3"
    """CARLA blueprint of the ego."""

    rear_axle_behind_origin_m: float = Field(default=1.44, ge=0, le=5)
    """How far the rear axle lies behind the origin of CARLA's actor."""

    cameras: tuple[CameraMount, ...] = Field(min_length=1, max_length=8)
    """Cameras, each with an id of its own."""

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [camera.camera for camera in self.cameras]
        if len(set(ids)) < len(ids):
            raise ValueError(f"cameras have the ids {ids}; each id may occur once")
        return self

    def pose_vehicle_in_actor(self) -> np.ndarray:
        """(4, 4) float64: vehicle frame (rear axle, ground level) in the actor's frame, right-handed."""
        pose = np.eye(4)
        pose[0, 3] = -self.rear_axle_behind_origin_m
        return pose


def load_rig(path: Path) -> Rig:
    """Reads a rig from YAML.

    Raises:
        UsageError: missing file, unknown key or a value outside its range.
    """
    return load_settings(Rig, path)
