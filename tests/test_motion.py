"""Exact motion against analytic truths and a captured log; estimated motion against a known shift."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phipd_sim2real.capture.rig import CameraMount
from phipd_sim2real.drivelog import DriveLog, Provenance, SegmentWriter, column, decode_jpeg, write_provenance
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion import RecordedMotion, estimated_flow, flow_between, has_exact_motion
from phipd_sim2real.motion_geometry import Box, View, exact_flow, sight_lines
from phipd_sim2real.waymo.camera_model import Calibration, project

H, W = 48, 64
MOUNT = CameraMount(camera=1, width=W, height=H, fov_degrees=90, position_in_vehicle=(2.0, 0.0, 1.6))
CALIBRATION = MOUNT.calibration()
FOCAL = W / 2


def _pose(x=0.0, y=0.0, yaw=0.0):
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:2, 3] = x, y
    return pose


def _view(depth, pose=None, movable=None, boxes=None):
    depth = np.full((H, W), depth, np.float32) if np.isscalar(depth) else depth
    movable = np.zeros((H, W), bool) if movable is None else movable
    return View(depth, movable, _pose() if pose is None else pose, boxes or {})


def _from_centre():
    rows, columns = np.indices((H, W)) + 0.5
    return np.stack([columns - W / 2, rows - H / 2], axis=-1)


def test_driving_towards_a_wall_expands_the_picture():
    flow = exact_flow(_view(20.0), _view(18.0, _pose(x=2)), CALIBRATION)
    np.testing.assert_allclose(flow.forward, _from_centre() * (20 / 18 - 1), atol=1e-5)
    inside = (np.abs(_from_centre() * 20 / 18) < (W / 2, H / 2)).all(-1)
    np.testing.assert_array_equal(flow.valid, inside)


def test_the_way_back_is_the_inverse():
    flow = exact_flow(_view(18.0, _pose(x=2)), _view(20.0), CALIBRATION)
    np.testing.assert_allclose(flow.forward, _from_centre() * (18 / 20 - 1), atol=1e-5)
    assert flow.valid.all()


@pytest.mark.parametrize("depth", [10.0, 1000.0])
def test_turning_moves_all_depths_alike_and_the_sky_with_them(depth):
    centred = Calibration(CALIBRATION.intrinsic, np.eye(4), W, H)
    angle = 0.05
    x, y = (_from_centre() / FOCAL).transpose(2, 0, 1)
    # a turn to the left by `angle` moves (1, -x, -y) to the right
    ahead, left = np.cos(angle) - np.sin(angle) * x, -x * np.cos(angle) - np.sin(angle)
    expected = FOCAL * np.stack([-left / ahead, y / ahead], axis=-1) - _from_centre()
    turned = np.full((H, W), depth, np.float32)
    flow = exact_flow(_view(depth), _view(turned, _pose(yaw=angle)), centred)
    np.testing.assert_allclose(flow.forward, expected, atol=1e-4)


def test_the_sky_stands_still_when_the_vehicle_only_moves_ahead():
    flow = exact_flow(_view(1000.0), _view(1000.0, _pose(x=5)), CALIBRATION)
    np.testing.assert_allclose(flow.forward, 0, atol=1e-6)
    assert flow.valid.all()


def test_a_car_moves_with_its_box_and_the_rest_stands():
    depth = np.full((H, W), 40.0, np.float32)
    movable = np.zeros((H, W), bool)
    movable[20:30, 28:36] = True
    depth[movable] = 10.0
    box = {"7": Box(_pose(x=12.0) @ _up(1.6), np.array([4.0, 4.0, 4.0]))}
    left = {"7": Box(_pose(x=12.0, y=1.0) @ _up(1.6), np.array([4.0, 4.0, 4.0]))}
    after = np.full((H, W), 40.0, np.float32)
    after[20:30, 24:33] = 10.0
    flow = exact_flow(_view(depth, movable=movable, boxes=box), _view(after, boxes=left), CALIBRATION)
    np.testing.assert_allclose(flow.forward[movable], np.broadcast_to([-FOCAL / 10, 0], (80, 2)), atol=1e-5)
    np.testing.assert_allclose(flow.forward[~movable], 0, atol=1e-6)
    assert flow.valid[22:28, 30:35].all()
    assert not flow.valid[22:28, 25:27].any()  # wall that the car now hides


def _up(z):
    pose = np.eye(4)
    pose[2, 3] = z
    return pose


def test_the_egos_own_bonnet_stays_in_the_picture():
    movable = np.zeros((H, W), bool)
    movable[40:] = True
    depth = np.full((H, W), 30.0, np.float32)
    depth[movable] = 1.2
    flow = exact_flow(_view(depth, movable=movable), _view(depth, _pose(x=1), movable), CALIBRATION)
    np.testing.assert_allclose(flow.forward[movable], 0, atol=1e-6)
    assert flow.valid[42:].all()


def test_sight_lines_invert_a_lens_with_distortion():
    intrinsic = np.array([60.0, 61.0, 31.0, 25.0, 0.04, -0.02, 0.001, -0.002, 0.0])
    calibration = Calibration(intrinsic, CALIBRATION.extrinsic, W, H)
    points = sight_lines(calibration) * 7.0 @ calibration.extrinsic[:3, :3].T + calibration.extrinsic[:3, 3]
    pixels, valid = project(points, calibration)
    rows, columns = np.divmod(np.arange(H * W), W)
    assert valid.all()
    np.testing.assert_allclose(pixels, np.stack([columns, rows], -1) + 0.5, atol=1e-4)


def test_estimated_motion_finds_a_shift():
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.uniform(0, 255, (96, 140)).astype(np.float32), (0, 0), 2.0)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)[..., None].repeat(3, -1)
    flow = estimated_flow(wide[:, 8:136], wide[:, 5:133])
    inner = (slice(12, -12), slice(12, -12))
    assert flow.valid[inner].mean() > 0.95
    assert np.abs(flow.forward[inner] - (3, 0))[flow.valid[inner]].mean() < 0.2


def test_a_segment_without_depth_has_no_exact_motion(tmp_path):
    with SegmentWriter(tmp_path, "a", "hash") as writer:
        writer.declare("camera_image")
    write_provenance(tmp_path, Provenance(domain="drawn", config={}, config_hash="hash", seed=0))
    log = DriveLog(tmp_path)
    assert not has_exact_motion(log, "a")
    with pytest.raises(UsageError, match="camera_depth"):
        RecordedMotion(log, "a", 1)


@pytest.fixture(scope="module")
def captured(tmp_path_factory) -> DriveLog:
    """Half a second at 10 Hz of the simulator's own drive."""
    pytest.importorskip("carla", reason="needs the carla wheel")
    from phipd_sim2real.capture.log import capture_log
    from phipd_sim2real.capture.settings import CaptureSettings

    rig = Path(__file__).resolve().parents[1] / "configs/rigs/front-one.yaml"
    images = {"window_s": [0.5, 1.0], "jpeg_quality": 95}
    settings = CaptureSettings(maps=("Riverside01",), segments=1, seconds=1, seed=11, rig=rig, images=images)
    out = tmp_path_factory.mktemp("captured")
    capture_log(settings, out)
    return DriveLog(out)


def test_a_captured_drive_moves_as_its_labels_say(captured):
    segment = captured.segments[0]
    motion = RecordedMotion(captured, segment, 1)
    table = captured.table("camera_image", segment)
    images = [decode_jpeg(data).astype(np.float32) for data in table[column("camera_image", "image")]]
    first, second = motion.timestamps_micros[:2]
    flow = motion.flow(first, second)
    again = flow_between(captured, segment, 1, first, second)
    np.testing.assert_array_equal(flow.forward, again.forward)
    rows, columns = np.indices(flow.valid.shape, np.float32)
    warped = cv2.remap(images[1], columns + flow.forward[..., 0], rows + flow.forward[..., 1], cv2.INTER_LINEAR)
    error, unwarped = (np.abs(image - images[0])[flow.valid].mean() for image in (warped, images[1]))
    assert flow.valid.mean() > 0.5
    assert error < 0.6 * unwarped
