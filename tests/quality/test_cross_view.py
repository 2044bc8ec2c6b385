"""Two cameras before a painted wall whose colours are known at every point."""

import numpy as np
import pytest

from phipd_sim2real.geometry import transform_points
from phipd_sim2real.motion_geometry import sight_lines
from phipd_sim2real.quality import CameraView, reprojection_error
from phipd_sim2real.waymo.camera_model import Calibration

HEIGHT, WIDTH, WALL_M = 60, 100, 20.0


def camera(yaw_degrees, left_m):
    """A camera at a height of 0, turned to the left, 1 m before the axle."""
    yaw = np.deg2rad(yaw_degrees)
    extrinsic = np.eye(4)
    extrinsic[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    extrinsic[:3, 3] = (1.0, left_m, 0.0)
    return Calibration(np.array([80.0, 80.0, 50.0, 30.0, 0, 0, 0, 0, 0]), extrinsic, WIDTH, HEIGHT)


def view(calibration, gain=1.0):
    """What the camera sees of a wall across the way, painted with slow waves."""
    rays = sight_lines(calibration)
    origin = calibration.extrinsic[:3, 3]
    directions = transform_points(calibration.extrinsic, rays) - origin
    depth = (WALL_M - origin[0]) / directions[:, 0]
    _, y, z = (origin + depth[:, None] * directions).T
    waves = np.stack([np.sin(0.5 * y + phase) * np.cos(0.4 * z) for phase in (0, 1, 2)], axis=-1)
    picture = (128 + 60 * waves) * gain
    shape = (HEIGHT, WIDTH)
    return CameraView(picture.clip(0, 255).astype(np.uint8).reshape(*shape, 3), depth.reshape(shape), calibration)


def test_one_wall_has_one_colour_in_two_cameras():
    left, right = view(camera(20, 0.5)), view(camera(-20, -0.5))
    for pair in ((left, right), (right, left)):
        measured = reprojection_error(*pair)
        assert measured.value < 0.004  # what 8 bits and interpolation leave
        assert (measured.unit, measured.better) == ("linear RGB", "lower")


def test_a_darker_camera_differs_by_what_it_lacks():
    left = view(camera(0, 0))
    black = left._replace(picture=np.zeros_like(left.picture))
    white = left._replace(picture=np.full_like(left.picture, 255))
    assert reprojection_error(white, black).value == pytest.approx(1)
    assert reprojection_error(left, left).value == pytest.approx(0, abs=1e-6)
    dim, dimmer = (reprojection_error(left, view(camera(-15, 0), gain)).value for gain in (0.8, 0.5))
    assert 0.02 < dim < dimmer


def test_what_one_camera_cannot_see_does_not_count():
    left, right = view(camera(20, 0.5)), view(camera(-20, -0.5))
    hidden = right._replace(depth_m=np.full_like(right.depth_m, 3.0), picture=255 - right.picture)
    assert "seen by both" in reprojection_error(left, hidden).reason
    assert not reprojection_error(view(camera(50, 0)), view(camera(-50, 0))).valid
    sky = left._replace(depth_m=np.full_like(left.depth_m, 1000.0))
    assert not reprojection_error(sky, right).valid
