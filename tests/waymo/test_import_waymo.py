"""Perception v1 and v2 as drive logs, and in place: the same samples, all labels, failures counted, resumed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from waymo_frames import BEGIN_MICROS, as_v2, frame, write

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column
from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import PlannerSample, SampleFailure, perception_samples
from phipd_sim2real.waymo.import_log import ImportSettings, import_waymo
from phipd_sim2real.waymo.made_split import make_split
from phipd_sim2real.waymo.perception_v2 import PerceptionFolder, _camera_ids
from planner_eval.samples import samples_from_log

pytest.importorskip("waymo_open_dataset.dataset_pb2", reason="needs Waymo's protos")

ALL = ImportSettings()
FRONT = ImportSettings(cameras=(1, 2))


def assert_same(samples, others):
    samples, others = list(samples), list(others)
    assert len(samples) == len(others) > 0
    for one, other in zip(samples, others, strict=True):
        assert type(one) is type(other)
        assert (one.key.segment, one.key.timestamp_micros) == (other.key.segment, other.key.timestamp_micros)
        if isinstance(one, SampleFailure):
            assert one.reason == other.reason
            continue
        assert one.intent == other.intent == 0
        assert one.time_of_day == other.time_of_day == "Dawn/Dusk"
        assert one.images.keys() == other.images.keys()
        for camera, picture in one.images.items():
            np.testing.assert_array_equal(picture, other.images[camera])
            np.testing.assert_array_equal(one.calibrations[camera].intrinsic, other.calibrations[camera].intrinsic)
        for field in ("past", "future", "future_valid"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_all_of_a_v1_frame_is_carried_over(v1, tmp_path):
    summary = import_waymo(v1, tmp_path / "log", ALL)
    assert (summary.imported, summary.frames, summary.pictures, dict(summary.failures)) == (2, 8, 24, {})
    log = DriveLog(tmp_path / "log")
    assert log.segments == log.provenance.planned_segments == ("segment-a", "segment-b")
    assert (log.provenance.domain, log.provenance.config["source"]) == ("waymo", "Waymo Perception v1")
    read = lambda component: log.table(component, "segment-a")  # noqa: E731
    assert read("vehicle_pose")[TIMESTAMP].tolist() == [BEGIN_MICROS + index * 100_000 for index in range(4)]
    stats = read("stats").iloc[0]
    words = [stats[column("stats", field)] for field in ("time_of_day", "location", "weather")]
    assert words == ["Dawn/Dusk", "location_sf", "rain"]
    assert stats[column("stats", "lidar_object_counts.counts")].tolist() == [1]
    images = read("camera_image")
    assert images[CAMERA].tolist() == [1, 2, 3] * 4
    stored = {image.name: image.image for image in frame(0).images}
    assert images[column("camera_image", "image")].tolist()[:3] == [stored[1], stored[2], stored[3]]
    box = read("lidar_box").iloc[2]
    expected = {"box.center.x": 12, "box.size.x": 4.5, "box.size.y": 2, "box.heading": 0.1, "speed.x": 3, "type": 1}
    assert {field: box[column("lidar_box", field)] for field in expected} == expected
    assert box[column("lidar_box", "num_lidar_points_in_box")] == 42
    assert pd.isna(box[column("lidar_box", "speed.z")])
    flat = read("camera_box").iloc[0]
    assert [flat[column("camera_box", f"box.size.{axis}")] for axis in "xy"] == [3, 2]
    assert read("projected_lidar_box")["key.laser_object_id"].unique().tolist() == ["car"]  # without the camera
    visible = read("lidar_camera_synced_box")[column("lidar_camera_synced_box", "most_visible_camera_name")]
    assert visible.tolist() == [2] * 4
    heights = dict(
        zip(
            read("camera_calibration")[CAMERA],
            read("camera_calibration")[column("camera_calibration", "height")],
            strict=True,
        )
    )
    assert heights == {1: 9, 2: 10, 3: 11}


def test_an_import_is_resumed_and_left_alone(v1, tmp_path):
    first = import_waymo(v1 / "segment-a*", tmp_path / "log", FRONT)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "log").glob("*/*.parquet")}
    done = []
    second = import_waymo(v1, tmp_path / "log", FRONT, lambda _, count, total: done.append((count, total)))
    assert (first.imported, second.imported, second.kept, done) == (1, 1, 1, [(1, 2), (2, 2)])
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    tables = sorted((tmp_path / "log").glob("*/*.parquet"))
    import_waymo(v1, tmp_path / "again", FRONT)
    for path in tables:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "log")).read_bytes()
    with pytest.raises(UsageError, match="made with other settings"):
        import_waymo(v1, tmp_path / "log", ALL)


def test_v1_v2_and_the_log_give_the_same_samples(tmp_path):
    write(tmp_path / "v1" / "drive.tfrecord", [frame(index, shade=index) for index in range(50)])
    import_waymo(tmp_path / "v1", tmp_path / "log", FRONT)
    log = DriveLog(tmp_path / "log")
    expected = list(samples_from_log(log, (1, 2)))
    assert sum(isinstance(item, PlannerSample) for item in expected) == 12  # 3.75 s come first
    assert_same(perception_samples(tmp_path / "v1", (1, 2)), expected)
    folder = PerceptionFolder(as_v2(log, tmp_path / "v2"))
    assert_same(samples_from_log(folder, (1, 2)), expected)
    with_boxes = [item for item in samples_from_log(folder, (1,), road_users=True) if isinstance(item, PlannerSample)]
    np.testing.assert_allclose(with_boxes[0].road_users[0], [0, 14, 0, 4.5, 2, 0.1], atol=1e-3)  # 2 m on, 12 m ahead
    import_waymo(folder.root, tmp_path / "log of v2", FRONT)
    assert_same(samples_from_log(DriveLog(tmp_path / "log of v2"), (1, 2)), expected)


def test_columns_of_older_releases_are_read(v1, tmp_path):
    import_waymo(v1, tmp_path / "log", ALL)
    log = DriveLog(tmp_path / "log")
    older = as_v2(log, tmp_path / "v2", older=True)
    summary = import_waymo(older, tmp_path / "imported", ImportSettings(cameras=(2,)))
    assert (summary.source, summary.imported, summary.pictures) == ("Waymo Perception v2", 2, 8)
    imported = DriveLog(tmp_path / "imported")
    assert imported.table("camera_image", "segment-b")[CAMERA].tolist() == [2] * 4
    name = column("vehicle_pose", "world_from_vehicle.transform")
    poses, old = (np.stack(one.table("vehicle_pose", "segment-b")[name]) for one in (log, imported))
    np.testing.assert_allclose(old, poses, atol=4e-3)  # single precision at 50 km
    pd.testing.assert_frame_equal(imported.table("lidar_box", "segment-a"), log.table("lidar_box", "segment-a"))


def test_real_poses_of_an_older_release(shared_data, tmp_path):
    """Pictures are ours, one a second; the 199 poses are Waymo's."""
    (poses,) = (shared_data / "waymo/v2_testdata/vehicle_pose").glob("*.parquet")
    segment = poses.stem
    timestamps = sorted(pq.read_table(poses)[TIMESTAMP].to_pylist())
    frames = [frame(0, segment) for _ in timestamps]
    for message, timestamp in zip(frames, timestamps, strict=True):
        message.timestamp_micros = timestamp
    write(tmp_path / "v1" / "drive.tfrecord", frames)
    import_waymo(tmp_path / "v1", tmp_path / "pictures", ImportSettings(cameras=(1,)))
    root = as_v2(DriveLog(tmp_path / "pictures"), tmp_path / "v2")
    shutil.copy(poses, root / "vehicle_pose")
    samples = [item for item in samples_from_log(PerceptionFolder(root), (1,)) if isinstance(item, PlannerSample)]
    assert len(samples) == 199 - 38
    import_waymo(root, tmp_path / "log", ALL)
    assert_same(
        (item for item in samples_from_log(DriveLog(tmp_path / "log"), (1,)) if isinstance(item, PlannerSample)),
        samples,
    )
    for one in samples:
        np.testing.assert_array_equal(one.past[-1, :2], [0, 0])
        assert np.hypot(*one.past[-1, 2:4]) < 40
        assert abs(one.past[-1, 3]) < 0.5  # a car does not drive sideways
    middle = samples[40]
    later = next(other for other in samples if other.key.timestamp_micros >= middle.key.timestamp_micros + 990_000)
    assert np.linalg.norm(middle.future[3]) == pytest.approx(np.linalg.norm(later.past[11, :2]), abs=0.1)


def test_cameras_by_name_of_a_real_table(shared_data):
    (path,) = (shared_data / "waymo/v2_testdata/camera_hkp").glob("*.parquet")
    names = pq.read_table(path)[CAMERA]
    expected = {"FRONT": 1, "FRONT_LEFT": 2, "FRONT_RIGHT": 3, "SIDE_LEFT": 4, "SIDE_RIGHT": 5}
    assert _camera_ids(names).to_pylist() == [expected[name] for name in names.to_pylist()]


def test_a_real_record_of_another_kind_is_refused(shared_data, tmp_path):
    with pytest.raises(UsageError, match="none begins with a Perception frame"):
        import_waymo(shared_data / "waymo/motion_data_one_scenario.tfrecord", tmp_path / "log", ALL)


def test_the_real_frame_is_imported(shared_data, tmp_path):
    summary = import_waymo(shared_data / "waymo/pvps_data_one_frame.tfrecord", tmp_path / "log", ALL)
    assert (summary.imported, summary.frames, summary.pictures) == (1, 1, 5)
    log = DriveLog(tmp_path / "log")
    (segment,) = log.segments
    assert len(log.table("lidar_box", segment)) == 75
    assert log.table("stats", segment)[column("stats", "weather")].tolist() == ["sunny"]
    assert log.table("camera_box", segment).groupby(CAMERA).size().to_dict() == {1: 13, 2: 29, 3: 9, 4: 3, 5: 12}


def test_end_to_end_records_are_refused_with_the_way_to_use_them(tmp_path):
    make_split(tmp_path / "e2e", records=4, segments=2, shards=2, cameras=(1,))
    with pytest.raises(UsageError, match=r"no drive log can be made of them: they have no poses.*evaluation\.records="):
        import_waymo(tmp_path / "e2e", tmp_path / "log", ALL)
    assert not (tmp_path / "log").exists()
    with pytest.raises(UsageError, match="no split of Waymo's Perception v2"):
        PerceptionFolder(tmp_path)


def test_the_command(v1, tmp_path):
    command = [sys.executable, "-m", "phipd_sim2real", "import-waymo", f"{v1}/segment-*.tfrecord", "--json"]
    command += ["--out", str(tmp_path / "log"), "--cameras", "1,2"]
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(result.stdout)["pictures"] == 16
    assert "import Waymo Perception v1: 2/2" in result.stderr
    command[command.index("1,2")] = "front"
    refused = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert (refused.returncode, "not a list of camera ids" in refused.stderr) == (2, True)
