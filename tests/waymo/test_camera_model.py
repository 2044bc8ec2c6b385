"""The camera model against the native operation's results and against hand-made cameras."""

import numpy as np
import pytest

from phipd_sim2real.waymo import Calibration, project
from phipd_sim2real.waymo.camera_model import inside_picture


def pinhole(**changes):
    values = {"intrinsic": np.array([100.0, 110.0, 64.0, 48.0, 0, 0, 0, 0, 0]), "extrinsic": np.eye(4)}
    return Calibration(**(values | changes), width=128, height=96)


def test_pinhole_looks_along_x_with_y_left_and_z_up():
    pixels, valid = project(np.array([[10.0, 0, 0], [10, 1, 0], [10, 0, 1], [-10, 0, 0]]), pinhole())
    np.testing.assert_allclose(pixels[:3], [[64, 48], [54, 48], [64, 37]])
    assert valid.tolist() == [True, True, True, False]
    assert np.isnan(pixels[3]).all()


def test_extrinsic_takes_the_camera_to_the_vehicle():
    extrinsic = np.eye(4)
    extrinsic[:2, :2] = [[0, -1], [1, 0]]  # looks to the left, from 2 m ahead of the axle
    extrinsic[:3, 3] = [2, 0, 1.5]
    pixels, valid = project(np.array([[2.0, 5, 1.5]]), pinhole(extrinsic=extrinsic))
    assert valid.all()
    np.testing.assert_allclose(pixels, [[64, 48]], atol=1e-9)


def test_points_where_the_lens_folds_back_are_not_valid():
    lens = pinhole(intrinsic=np.array([100.0, 100, 64, 48, -0.3, 0, 0, 0, 0]))
    _, valid = project(np.array([[10.0, 2, 0], [10, 15, 0]]), lens)
    assert valid.tolist() == [True, False]


def test_inside_picture_is_half_open():
    pixels = np.array([[0.0, 0], [127.9, 95.9], [128, 0], [0, 96], [np.nan, np.nan]])
    assert inside_picture(pixels, pinhole()).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("camera", range(5))
def test_equals_the_native_model(shared_data, camera):
    golden = np.load(shared_data / "golden/camera_projection.npz")
    width, height = golden["image_wh"][camera]
    calibration = Calibration(
        golden["intrinsic"][camera], golden["extrinsic_vehicle_from_camera"][camera], int(width), int(height)
    )
    pixels, valid = project(golden["points_vehicle"], calibration)
    np.testing.assert_array_equal(valid, golden["ok"][camera])
    np.testing.assert_allclose(pixels[valid], golden["uv"][camera][valid], atol=1e-3, rtol=0)
    np.testing.assert_array_equal(inside_picture(pixels, calibration), golden["in_image"][camera])
