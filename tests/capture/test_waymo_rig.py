"""Rigs from records: the cameras come out as the record has them."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from phipd_sim2real.capture.lens import resampler_of
from phipd_sim2real.capture.rig import CameraMount, load_rig
from phipd_sim2real.capture.waymo_rig import mount_from_calibration, rig_from_record
from phipd_sim2real.cli import app
from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.waymo import project
from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.protos import write_calibrations
from phipd_sim2real.waymo.tfrecord import write_records

protos = pytest.importorskip("waymo_open_dataset.dataset_pb2", reason="needs the waymo extra")
from waymo_open_dataset.protos.end_to_end_driving_data_pb2 import E2EDFrame  # noqa: E402

REAL = next(
    (
        path
        for parent in Path(__file__).resolve().parents
        if (path := parent / "shared/data/waymo/pvps_data_one_frame.tfrecord").is_file()
    ),
    None,
)
CALIBRATIONS = {
    1: Calibration(np.array([700, 702, 320, 210, 0.04, -0.3, 0.001, -0.002, 0.01]), np.eye(4), 640, 427),
    5: Calibration(
        np.array([690, 690, 318, 80, 0.03, -0.3, 0, 0, 0]), pose_from_carla((1.4, 0.1, 2.1), (-1.5, 89, 0.7)), 640, 295
    ),
}


def _record(tmp_path, frame, context):
    write_calibrations(context, CALIBRATIONS)
    path = tmp_path / "one.tfrecord"
    write_records(path, [frame.SerializeToString()])
    return path


def _frame(tmp_path):
    frame = protos.Frame(timestamp_micros=5)
    frame.pose.transform.extend(np.eye(4).ravel())
    frame.context.name = "segment"
    return _record(tmp_path, frame, frame.context)


def _e2e_frame(tmp_path):
    frame = E2EDFrame()
    frame.frame.context.name = "0" * 32 + "-001"
    frame.frame.timestamp_micros = 7
    return _record(tmp_path, frame, frame.frame.context)


@pytest.mark.parametrize("make", [_frame, _e2e_frame])
def test_a_rig_has_the_records_cameras(tmp_path, make):
    out = tmp_path / "rig.yaml"
    result = CliRunner().invoke(app, ["rig", "from-waymo", str(make(tmp_path)), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("FRONT, SIDE_RIGHT.")
    mounts = {mount.camera: mount for mount in load_rig(out).cameras}
    assert set(mounts) == set(CALIBRATIONS)
    for camera, mount in mounts.items():
        np.testing.assert_array_equal(mount.calibration().intrinsic, CALIBRATIONS[camera].intrinsic)
        np.testing.assert_allclose(mount.calibration().extrinsic, CALIBRATIONS[camera].extrinsic, atol=1e-12)


def test_smaller_pictures_keep_the_sight_lines(tmp_path):
    (mount,) = rig_from_record(_frame(tmp_path), cameras=[1], scale=0.5).cameras
    points = np.array([[8, 1, 1], [8, -2, 0.5], [20, 3, -2]], float)
    full, half = (project(points, calibration)[0] for calibration in (CALIBRATIONS[1], mount.calibration()))
    np.testing.assert_allclose(half, full / 2, atol=1e-9)
    assert (mount.width, mount.height) == (320, 214)


def test_bad_requests_get_a_sentence(tmp_path):
    path = _frame(tmp_path)
    with pytest.raises(UsageError, match=r"no camera \[3\]; it has cameras \[1, 5\]"):
        rig_from_record(path, cameras=[3])
    with pytest.raises(UsageError, match="more than 0 and at most 1"):
        rig_from_record(path, scale=2.0)
    empty = tmp_path / "other.tfrecord"
    write_records(empty, [protos.Frame(timestamp_micros=1).SerializeToString()])
    with pytest.raises(UsageError, match="neither a Perception frame nor"):
        rig_from_record(empty)


def test_a_mount_needs_one_kind_of_optics():
    values = {"camera": 1, "width": 64, "height": 64, "position_in_vehicle": (0, 0, 0)}
    lens = {"f_u": 60, "f_v": 60, "c_u": 32, "c_v": 32}
    for optics in ({}, {"fov_degrees": 60, "lens": lens}):
        with pytest.raises(ValueError, match="either fov_degrees"):
            CameraMount(**values, **optics)


@pytest.mark.skipif(REAL is None, reason="the real Waymo frame is not here")
def test_the_cameras_of_a_real_car():
    from phipd_sim2real.waymo import perception_segments

    (segment,) = perception_segments(REAL)
    calibrations = segment.frame(0).calibrations
    for mount in rig_from_record(REAL).cameras:
        real = calibrations[mount.camera]
        np.testing.assert_array_equal(mount.calibration().intrinsic, real.intrinsic)
        np.testing.assert_allclose(mount.calibration().extrinsic, real.extrinsic, atol=1e-12)
    view = resampler_of(mount_from_calibration(1, calibrations[1], scale=0.25)).view
    assert view.width <= 1.15 * 480
