"""Perception files that are damaged, cut off or lack something: what is counted, refused, and imported after all."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from waymo_frames import BEGIN_MICROS, as_v2, frame, write

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.waymo import PlannerSample, SampleFailure, perception_samples
from phipd_sim2real.waymo.import_log import ImportSettings, import_waymo
from phipd_sim2real.waymo.perception_v2 import PerceptionFolder
from phipd_sim2real.waymo.tfrecord import index_records
from planner_eval.samples import samples_from_log

pytest.importorskip("waymo_open_dataset.dataset_pb2", reason="needs Waymo's protos")

ALL = ImportSettings()
FRONT = ImportSettings(cameras=(1, 2))


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
    with pytest.raises(
        StageError, match=r"\(10\.0%\) cannot be read, in 1 places; at most 2\.0% may be lost .*record 9 at byte"
    ):
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
