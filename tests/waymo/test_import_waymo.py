"""Perception v1 and v2 as drive logs, and in place: the same samples, all labels, failures counted, resumed."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from waymo_frames import BEGIN_MICROS, frame, write

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.waymo import PlannerSample, SampleFailure, perception_samples
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES
from phipd_sim2real.waymo.import_log import ImportSettings, import_waymo
from phipd_sim2real.waymo.made_split import make_split
from phipd_sim2real.waymo.perception_v2 import PerceptionFolder, _camera_ids
from phipd_sim2real.waymo.tfrecord import index_records
from planner_eval.samples import samples_from_log

pytest.importorskip("waymo_open_dataset.dataset_pb2", reason="needs Waymo's protos")

ALL = ImportSettings()
FRONT = ImportSettings(cameras=(1, 2))


@pytest.fixture
def v1(tmp_path):
    folder = tmp_path / "v1"
    for name in "ab":
        write(folder / f"segment-{name}.tfrecord", [frame(index, f"segment-{name}") for index in (3, 0, 2, 1)])
    return folder


def as_v2(log, root, older=False):
    """A log's tables as they are downloaded, without our markers; `older` with the columns of older releases."""
    for path in log.root.glob("*/*.parquet"):
        table = pq.read_table(path)
        if older and path.parent.name == "vehicle_pose":
            name = column("vehicle_pose", "world_from_vehicle.transform")
            index = table.column_names.index(name)
            table = table.set_column(index, name, table[name].cast(pa.list_(pa.float32(), 16)))
        if older and CAMERA in table.column_names:
            names = pa.array([CAMERA_NAMES[camera] for camera in table[CAMERA].to_pylist()], pa.string())
            table = table.set_column(table.column_names.index(CAMERA), CAMERA, names)
        (root / path.parent.name).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / path.parent.name / path.name)
    return root


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


def test_damage_is_counted_and_borne_up_to_a_share(tmp_path):
    path = write(tmp_path / "a.tfrecord", [frame(index) for index in range(10)])
    data = bytearray(path.read_bytes())
    for span in (index_records(path)[4], index_records(path)[9]):
        data[span.offset + span.length - 200] ^= 1  # within the labels: the index passes over them
    path.write_bytes(data)
    with pytest.raises(StageError, match=r"10 frames of segment segment-a 2 failed .*record 4 at byte"):
        import_waymo(path, tmp_path / "log", ALL)
    assert not list((tmp_path / "log").glob("*/*.parquet"))
    assert DriveLog(tmp_path / "log").missing_segments == ("segment-a",)
    summary = import_waymo(path, tmp_path / "log", ImportSettings(max_failed_share=0.2))
    assert (summary.frames, dict(summary.failures)) == (8, {"damaged_record": 2})
    assert json.loads(json.dumps(summary.as_json()))["failures"] == {"damaged_record": 2}
    log = DriveLog(tmp_path / "log")
    assert (log.missing_segments, log.provenance.config["max_failed_share"]) == ((), 0.2)


def test_a_file_that_is_cut_off_is_not_imported_in_part(tmp_path):
    frames = [frame(index) for index in range(10)]
    path = write(tmp_path / "a.tfrecord", frames)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StageError, match=r"record 9 at byte .* cut off.* rest of the drive is lost"):
        import_waymo(path, tmp_path / "log", ImportSettings(max_failed_share=0.2))
    with pytest.raises(StageError, match=r"\(10\.0%\) cannot be read; at most 2\.0% may be lost .*record 9 at byte"):
        list(perception_samples(path))
    found = perception_samples(path, max_failed_share=0.2)
    (lost,) = [item for item in found if isinstance(item, SampleFailure) and item.reason == "damaged_record"]
    assert lost.key.timestamp_micros == index_records(write(tmp_path / "whole.tfrecord", frames))[9].offset


def test_a_file_that_cannot_be_read_is_lost_alone(tmp_path):
    whole = write(tmp_path / "b.tfrecord", [frame(index, "segment-b") for index in range(60)])
    bad = tmp_path / "a.tfrecord"
    bad.write_bytes(bytes(whole.stat().st_size // 10))
    with pytest.raises(StageError, match=r"9\.\d%\) cannot be read"):
        next(perception_samples(tmp_path, (1,)))
    first, *others = perception_samples(tmp_path, (1,), max_failed_share=0.1)
    assert (first.key.log, first.reason) == ("a", "damaged_record")
    assert str(bad) in first.where
    assert len(others) == 60
    with pytest.raises(StageError, match=r"1 segments were not imported.* 1 are complete"):
        import_waymo(tmp_path, tmp_path / "log", FRONT)
    assert DriveLog(tmp_path / "log").missing_segments == ("a.tfrecord",)  # whose segment nobody can tell
    bad.unlink()
    import_waymo(tmp_path, tmp_path / "log", FRONT)
    assert DriveLog(tmp_path / "log").missing_segments == ()


def stripped(strip):
    """Fifty frames, the last of which lacks something."""
    frames = [frame(index) for index in range(50)]
    strip(frames[-1])
    return frames


@pytest.mark.parametrize(
    ("strip", "reason"),
    [
        (lambda message: message.images[0].pose.ClearField("transform"), "incomplete_record"),
        (lambda message: message.context.camera_calibrations[0].ClearField("intrinsic"), "incomplete_record"),
        (lambda message: message.camera_labels.add(), "incomplete_record"),
        (lambda message: message.images[1].ClearField("image"), "missing_camera"),
        (lambda message: message.ClearField("images"), "missing_camera"),
    ],
)
def test_a_stripped_frame_is_counted_and_the_others_are_imported(tmp_path, strip, reason):
    path = write(tmp_path / "a.tfrecord", stripped(strip))
    summary = import_waymo(path, tmp_path / "log", ALL)
    assert dict(summary.failures) == {reason: 1}
    assert summary.frames + (reason == "incomplete_record") == 50


def test_frames_without_calibrations_fail_and_do_not_break_what_reads_them(tmp_path):
    frames = [frame(index) for index in range(50)]
    for message in frames:
        message.context.ClearField("camera_calibrations")
    path = write(tmp_path / "a.tfrecord", frames)
    with pytest.raises(
        StageError, match=r"50 failed \({'missing_calibration': 50}\).* calibration of cameras \[1, 2, 3\]"
    ):
        import_waymo(path, tmp_path / "log", ALL)
    reasons = [item.reason for item in perception_samples(path, (1,)) if isinstance(item, SampleFailure)]
    assert reasons.count("missing_calibration") == len(reasons) - reasons.count("missing_past") == 12
    import_waymo(write(tmp_path / "whole.tfrecord", [frame(index) for index in range(50)]), tmp_path / "whole", FRONT)
    root = as_v2(DriveLog(tmp_path / "whole"), tmp_path / "v2")
    (table,) = (root / "camera_calibration").glob("*.parquet")
    pq.write_table(pq.read_table(table, filters=[(CAMERA, "=", 2)], partitioning=None), table)
    found = list(samples_from_log(PerceptionFolder(root), (1,)))
    assert sum(item.reason == "missing_calibration" for item in found) == 12
    assert sum(isinstance(item, PlannerSample) for item in samples_from_log(PerceptionFolder(root), (2,))) == 12


def test_frames_of_a_v2_split_that_lack_something_are_failures(tmp_path):
    import_waymo(write(tmp_path / "a.tfrecord", [frame(index) for index in range(60)]), tmp_path / "log", FRONT)
    root = as_v2(DriveLog(tmp_path / "log"), tmp_path / "v2")
    for component, gone in (("vehicle_pose", [40, 45]), ("camera_image", [41, 42])):
        (path,) = (root / component).glob("*.parquet")
        times = [BEGIN_MICROS + index * 100_000 for index in gone]
        pq.write_table(pq.read_table(path, filters=[(TIMESTAMP, "not in", times)], partitioning=None), path)
    reasons = Counter(
        item.reason if isinstance(item, SampleFailure) else "" for item in samples_from_log(PerceptionFolder(root))
    )
    assert reasons == {"": 18, "missing_past": 38, "missing_pose": 2, "missing_camera": 2}
    pq.write_table(pq.read_table(root / "vehicle_pose/segment-a.parquet")[:0], root / "vehicle_pose/segment-a.parquet")
    with pytest.raises(UsageError, match=r"segment-a of .* has no pose"):
        list(samples_from_log(PerceptionFolder(root)))


@pytest.mark.parametrize("absent", [(1, 2, 3), (2, 3)])
def test_calibrations_come_from_the_first_frame_that_has_them(tmp_path, absent):
    frames = [frame(index) for index in range(50)]
    kept = [proto for proto in frame(0).context.camera_calibrations if proto.name not in absent]
    frames[0].context.ClearField("camera_calibrations")
    frames[0].context.camera_calibrations.extend(kept)
    import_waymo(write(tmp_path / "a.tfrecord", frames), tmp_path / "log", ALL)
    assert DriveLog(tmp_path / "log").table("camera_calibration", "segment-a")[CAMERA].tolist() == [1, 2, 3]


def test_a_log_is_extended_and_says_what_it_lacks(v1, tmp_path):
    import_waymo(v1 / "segment-a*", tmp_path / "log", FRONT)
    path = v1 / "segment-b.tfrecord"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(StageError, match="cut off"):
        import_waymo(v1, tmp_path / "log", FRONT)
    assert DriveLog(tmp_path / "log").missing_segments == ("segment-b",)
    summary = import_waymo(v1 / "segment-a*", tmp_path / "log", FRONT)  # without it after all
    assert summary.sentence().endswith("Not asked for any more, and not in it: segment-b.")
    assert DriveLog(tmp_path / "log").missing_segments == ()
    path.write_bytes(whole)
    import_waymo(v1, tmp_path / "log", ImportSettings(cameras=(2, 1)))
    assert DriveLog(tmp_path / "log").segments == ("segment-a", "segment-b")


def test_segments_are_taken_once_and_one_by_one(tmp_path):
    damaged = frame(0, "segment-a")
    damaged.images[0].pose.ClearField("transform")
    write(tmp_path / "v1/both.tfrecord", [damaged, frame(1, "segment-b")])
    with pytest.raises(StageError, match=r"1 segments were not imported: Of 1 frames of segment segment-a 1 failed"):
        import_waymo(tmp_path / "v1", tmp_path / "log", ALL)
    assert DriveLog(tmp_path / "log").segments == ("segment-b",)
    write(tmp_path / "twice/a.tfrecord", [frame(0)])
    write(tmp_path / "twice/b.tfrecord", [frame(1)])
    with pytest.raises(StageError, match=r"segment-a is in a\.tfrecord and in b\.tfrecord; give it once"):
        import_waymo(tmp_path / "twice", tmp_path / "one", ALL)


def test_a_table_under_another_segments_name_is_refused(v1, tmp_path):
    import_waymo(v1 / "segment-a*", tmp_path / "log", ALL)
    root = as_v2(DriveLog(tmp_path / "log"), tmp_path / "v2")
    for path in root.glob("*/*.parquet"):
        path.rename(path.with_stem("renamed"))
    with pytest.raises(StageError, match=r"renamed\.parquet holds rows of segment segment-a"):
        import_waymo(root, tmp_path / "again", ALL)


def test_cameras_by_name_of_a_real_table(shared_data):
    (path,) = (shared_data / "waymo/v2_testdata/camera_hkp").glob("*.parquet")
    names = pq.read_table(path)[CAMERA]
    expected = {"FRONT": 1, "FRONT_LEFT": 2, "FRONT_RIGHT": 3, "SIDE_LEFT": 4, "SIDE_RIGHT": 5}
    assert _camera_ids(names).to_pylist() == [expected[name] for name in names.to_pylist()]


def test_a_real_record_of_another_kind_is_refused(shared_data, tmp_path):
    with pytest.raises(UsageError, match="none begins with a Perception frame"):
        import_waymo(shared_data / "waymo/motion_data_one_scenario.tfrecord", tmp_path / "log", ALL)


def test_a_real_frame_stripped_of_its_pictures_fails(shared_data, tmp_path):
    with pytest.raises(StageError, match=r"1 failed \({'missing_camera': 1}\)"):
        import_waymo(shared_data / "waymo/mmdet3d_val.tfrecord", tmp_path / "stripped", ALL)


def test_frames_without_a_picture_or_a_pose_fail(v1, tmp_path):
    with pytest.raises(StageError, match=r"4 failed \({'missing_camera': 4}\).* lacks a picture of cameras \[5\]"):
        import_waymo(v1, tmp_path / "log", ImportSettings(cameras=(1, 5)))
    import_waymo(v1, tmp_path / "whole", ALL)
    root = as_v2(DriveLog(tmp_path / "whole"), tmp_path / "v2")
    (root / "vehicle_pose/segment-a.parquet").unlink()
    with pytest.raises(
        StageError, match=r"1 segments were not imported.* lacks vehicle_pose/segment-a.parquet.* 1 are complete"
    ):
        import_waymo(root, tmp_path / "partial", ALL)
    assert DriveLog(tmp_path / "partial").segments == ("segment-b",)
    (root / "vehicle_pose/segment-b.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UsageError, match=r"segment-b.parquet cannot be read"):
        PerceptionFolder(root).table("vehicle_pose", "segment-b")


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
