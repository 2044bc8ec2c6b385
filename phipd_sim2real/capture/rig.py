"""The ego vehicle and its cameras, in Waymo's conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.settings import Settings, load_settings
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES, Calibration


class CameraMount(Settings):
    """A pinhole camera fixed to the vehicle."""

    camera: int = Field(ge=1, le=8)
    """Waymo's id: 1 FRONT, 2 FRONT_LEFT, 3 FRONT_RIGHT, 4 SIDE_LEFT, 5 SIDE_RIGHT, 6 to 8 to the rear."""

    width: int = Field(ge=16, le=4096)
    """Picture width, px. CARLA renders multiples of 64 most reliably."""

    height: int = Field(ge=16, le=4096)
    """Picture height, px."""

    fov_degrees: float = Field(gt=5, lt=170)
    """Horizontal field of view."""

    position_in_vehicle: tuple[float, float, float]
    """x forward, y left, z up from the middle of the rear axle on the ground, metres."""

    yaw_degrees: float = Field(default=0.0, ge=-180, le=180)
    """Counter-clockwise seen from above: positive looks to the left."""

    pitch_degrees: float = Field(default=0.0, ge=-90, le=90)
    """Positive looks up."""

    @property
    def name(self) -> str:
        """Waymo's name of the camera."""
        return CAMERA_NAMES[self.camera]

    def pose_camera_in_vehicle(self) -> np.ndarray:
        """(4, 4) float64 extrinsic, camera -> vehicle; camera axes x forward, y left, z up."""
        x, y, z = self.position_in_vehicle
        return pose_from_carla((x, -y, z), (self.pitch_degrees, -self.yaw_degrees, 0.0))

    def calibration(self) -> Calibration:
        """Waymo calibration without distortion; the optical axis meets the middle of the picture."""
        focal = self.width / (2 * np.tan(np.radians(self.fov_degrees) / 2))
        intrinsic = np.array([focal, focal, self.width / 2, self.height / 2, 0, 0, 0, 0, 0], dtype=np.float64)
        return Calibration(intrinsic, self.pose_camera_in_vehicle(), self.width, self.height)


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
