"""Perception frames: synthetic segments of known motion, and one real frame."""

import numpy as np
import pytest
from waymo_frames import SPEED, frame, write

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import Calibration, PlannerSample, perception_samples, perception_segments
from phipd_sim2real.waymo.drawing import box_corners, draw_boxes
from phipd_sim2real.waymo.perception import Box
from phipd_sim2real.waymo.tfrecord import read_records, write_records

protos = pytest.importorskip("waymo_open_dataset.dataset_pb2", reason="needs Waymo's protos")


def test_frames_come_by_time_and_cameras_by_name(tmp_path):
    path = write(tmp_path / "a.tfrecord", [frame(2), frame(0), frame(1)])
    (segment,) = perception_segments(path)
    assert (segment.name, len(segment), segment.records) == ("segment-a", 3, (1, 2, 0))
    for one in segment.frames():
        assert list(one.jpegs) == [1, 2, 3]
        for camera, picture in one.images().items():
            assert picture.shape == (one.calibrations[camera].height, one.calibrations[camera].width, 3)
    assert np.diff([one.timestamp_micros for one in segment.frames()]).tolist() == [100_000, 100_000]
    assert one.stats["location"] == "location_sf"


def test_samples_follow_the_poses(tmp_path):
    path = write(tmp_path / "a.tfrecord", [frame(index) for index in range(70)])
    (segment,) = perception_segments(path)
    found = list(segment.samples(cameras=[2], stride=10))
    assert [item.reason for item in found[:4]] == ["missing_past"] * 4
    samples = found[4:]
    start = int(segment.timestamps_micros[0])
    assert [sample.key.timestamp_micros - start for sample in samples] == [4_000_000, 5_000_000, 6_000_000]
    first = samples[0]
    assert list(first.images) == [2]
    assert (first.key.log, first.key.segment, first.intent) == ("a", "segment-a", 0)
    times = np.arange(-15, 1) * 0.25
    expected = np.stack([SPEED * times, 0 * times, 0 * times + SPEED, 0 * times, 0 * times, 0 * times], axis=1)
    np.testing.assert_allclose(first.past, expected, atol=1e-5)  # a metre has 1e-11 m resolution at 50 km
    assert first.future_valid.tolist() == [True] * 11 + [False] * 9  # the drive ends 2.9 s later
    ahead = SPEED * np.arange(1, 12) * 0.25
    np.testing.assert_allclose(first.future[:11], np.stack([ahead, 0 * ahead], axis=1), atol=1e-8)


def test_a_file_may_hold_several_segments(tmp_path):
    write(tmp_path / "b.tfrecord", [frame(0, "two"), frame(0, "one"), frame(1, "two")])
    assert [(segment.name, len(segment)) for segment in perception_segments(tmp_path)] == [
        ("two", 2),
        ("one", 1),
    ]


def test_damage_is_named(tmp_path):
    path = write(tmp_path / "a.tfrecord", [frame(0), frame(1)])
    sizes = [len(record) + 16 for record in read_records(path)]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match=f"record 1 at byte {sizes[0]} needs"):
        next(perception_segments(path))
    write_records(path, [frame(0).SerializeToString(), protos.Frame().SerializeToString()])
    with pytest.raises(UsageError, match=f"record 1 at byte {sizes[0]} has no context name"):
        next(perception_segments(path))
    with pytest.raises(UsageError, match="no TFRecord files"):
        perception_segments(tmp_path / "*.nothing")


def test_a_frame_without_a_pose_is_noted_and_the_others_are_samples(tmp_path):
    stripped = frame(20)
    stripped.ClearField("pose")
    path = write(tmp_path / "a.tfrecord", [stripped, *(frame(index) for index in range(50) if index != 20)])
    found = list(perception_samples(path, [1]))
    assert sum(isinstance(item, PlannerSample) for item in found) == 12
    (noted,) = [item for item in found if getattr(item, "reason", "") == "damaged_record"]
    assert "record 0 at byte 0 has no context name or no pose" in noted.where


def test_a_box_is_drawn_where_it_is():
    calibration = Calibration(np.array([100.0, 100, 80, 60, 0, 0, 0, 0, 0]), np.eye(4), 160, 120)
    box = Box("x", "vehicle", np.array([10.0, 0, 0]), np.array([4.0, 2.0, 2.0]), np.pi / 2)
    corners = box_corners(box)
    np.testing.assert_allclose(np.abs(corners - box.centre_vehicle), np.tile([1, 2, 1], (8, 1)), atol=1e-12)
    drawn = draw_boxes(np.zeros((120, 160, 3), np.uint8), [box], calibration, thickness=1)
    rows, columns = np.nonzero(drawn.any(axis=2))
    near = 100 / 9  # px per metre at the near face, 9 m ahead
    assert abs(columns.min() - (80 - 2 * near)) <= 1.5
    assert abs(columns.max() - (80 + 2 * near)) <= 1.5
    assert abs(rows.max() - (60 + near)) <= 1.5


def test_a_box_behind_the_camera_draws_nothing():
    calibration = Calibration(np.array([100.0, 100, 80, 60, 0, 0, 0, 0, 0]), np.eye(4), 160, 120)
    box = Box("x", "sign", np.array([-10.0, 0, 0]), np.ones(3), 0.0)
    assert not draw_boxes(np.zeros((120, 160, 3), np.uint8), [box], calibration).any()


def test_the_real_frame(shared_data):
    (segment,) = perception_segments(shared_data / "waymo/pvps_data_one_frame.tfrecord")
    (one,) = segment.frames()
    images = one.images()
    assert {camera: picture.shape for camera, picture in images.items()} == {
        camera: (1280 if camera < 4 else 886, 1920, 3) for camera in range(1, 6)
    }
    assert (len(one.boxes), one.stats["location"]) == (75, "location_sf")
    drawn = draw_boxes(images[1], one.boxes, one.calibrations[1])
    assert 0.001 < (drawn != images[1]).any(axis=2).mean() < 0.1


def test_a_real_frame_without_pictures(shared_data):
    (segment,) = perception_segments(shared_data / "waymo/mmdet3d_val.tfrecord")
    (one,) = segment.frames()
    assert (one.images(), len(one.calibrations), len(one.boxes)) == ({}, 5, 18)
    with pytest.raises(UsageError, match=r"no picture of camera \[1\]"):
        one.images([1])
    assert [item.reason for item in segment.samples()] == ["missing_past"]
