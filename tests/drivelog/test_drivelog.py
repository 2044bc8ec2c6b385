"""A drive log is complete or absent, keeps its bytes, and opens in pandas and in the official v2 reader."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phipd_sim2real.drivelog import (
    SCHEMAS,
    SEGMENT,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    column,
    completed_segments,
    decode_depth,
    decode_jpeg,
    decode_labels,
    encode_depth,
    encode_jpeg,
    encode_labels,
    write_provenance,
)
from phipd_sim2real.errors import UsageError


def _example_value(dtype, index):
    kinds = {
        "string": "x",
        "bool": index % 2 == 0,
        "map<string, double>": [("sun", float(index))],
        "binary": encode_jpeg(np.full((8, 8, 3), 100, np.uint8), 90),
        "fixed_size_list<element: double>[16]": np.eye(4) + index,
        "fixed_size_list<item: double>[16]": np.eye(4) + index,
    }
    if str(dtype).startswith("list"):
        return [1, 2]
    return kinds.get(str(dtype), index)


def _row(component, index):
    row = {field.name: _example_value(field.type, index) for field in SCHEMAS[component] if field.name != SEGMENT}
    return row


def _write(root, segment="a", rows=3, components=tuple(SCHEMAS)):
    with SegmentWriter(root, segment, "hash") as writer:
        for component in components:
            for index in reversed(range(rows)):
                writer.append(component, _row(component, index))
    write_provenance(root, _provenance())
    return DriveLog(root)


def _provenance(config_hash="hash"):
    return Provenance(
        domain="carla-protocol simulator",
        config={},
        config_hash=config_hash,
        seed=1,
        planned_segments=("a", "b"),
    )


def test_what_is_written_is_read_back_sorted(tmp_path):
    log = _write(tmp_path / "log", rows=70)
    assert log.segments == ("a",)
    assert log.missing_segments == ("b",)
    assert log.components("a") == tuple(sorted(SCHEMAS))
    poses = log.table("vehicle_pose", "a")
    assert poses[TIMESTAMP].is_monotonic_increasing
    assert (poses[SEGMENT] == "a").all()
    np.testing.assert_array_equal(
        poses[column("vehicle_pose", "world_from_vehicle.transform")][7], (np.eye(4) + 7).ravel()
    )
    only_intent = log.table("ego_intent", "a", columns=[column("ego_intent", "intent")])
    assert list(only_intent.columns) == [SEGMENT, TIMESTAMP, column("ego_intent", "intent")]
    assert log.completion("a").rows["vehicle_pose"] == 70


def test_plain_pandas_opens_every_table(tmp_path):
    log = _write(tmp_path)
    for component, schema in SCHEMAS.items():
        assert list(pd.read_parquet(log.path(component, "a")).columns) == schema.names


def test_the_official_reader_opens_every_official_table(tmp_path):
    v2 = pytest.importorskip(
        "waymo_open_dataset.v2", reason="needs the waymo wheel with dask, tensorflow and scikit-learn"
    )
    log = _write(tmp_path)
    official = {
        "camera_image": v2.CameraImageComponent,
        "camera_calibration": v2.CameraCalibrationComponent,
        "vehicle_pose": v2.VehiclePoseComponent,
        "stats": v2.StatsComponent,
        "lidar_box": v2.LiDARBoxComponent,
    }
    for component, component_class in official.items():
        assert SCHEMAS[component].equals(component_class.schema())
        component_class.from_dict(log.table(component, "a").iloc[0].to_dict())
    merged = v2.merge(log.table("camera_image", "a"), log.table("vehicle_pose", "a"))
    merged = v2.merge(merged, log.table("camera_depth", "a"))
    assert len(merged) == 3
    pose = v2.VehiclePoseComponent.from_dict(merged.iloc[2].to_dict())
    np.testing.assert_array_equal(pose.world_from_vehicle.transform, (np.eye(4) + 2).ravel())


def test_a_copied_table_keeps_its_bytes(tmp_path):
    source = _write(tmp_path / "source")
    with SegmentWriter(tmp_path / "copy", "a", "other") as writer:
        writer.copy("lidar_box", source)
        writer.append("ego_intent", _row("ego_intent", 0))
    write_provenance(tmp_path / "copy", _provenance("other"))
    copy = DriveLog(tmp_path / "copy")
    assert copy.path("lidar_box", "a").read_bytes() == source.path("lidar_box", "a").read_bytes()
    assert copy.completion("a").rows == {"ego_intent": 1, "lidar_box": 3}


def test_same_rows_same_bytes(tmp_path):
    first, second = _write(tmp_path / "1", rows=5), _write(tmp_path / "2", rows=5)
    assert first.completion("a") == second.completion("a")


def test_an_exception_leaves_no_trace(tmp_path):
    with pytest.raises(ValueError, match="Unknown"), SegmentWriter(tmp_path, "a", "hash") as writer:  # noqa: PT012
        writer.append("ego_intent", _row("ego_intent", 0))
        writer.append("unheard", {})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_killed_writer_leaves_no_segment_and_the_next_one_succeeds(tmp_path):
    code = (
        "import sys, os, signal, pathlib\n"
        "from phipd_sim2real.drivelog import SegmentWriter, TIMESTAMP, column\n"
        "writer = SegmentWriter(pathlib.Path(sys.argv[1]), 'a', 'hash').__enter__()\n"
        "row = {TIMESTAMP: 0, column('ego_intent', 'intent'): 1}\n"
        "for i in range(100): writer.append('ego_intent', row)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, tmp_path], env=os.environ, cwd=Path(__file__).parents[2])
    assert result.returncode == -signal.SIGKILL
    write_provenance(tmp_path, _provenance())
    assert DriveLog(tmp_path).segments == ()
    assert list(tmp_path.rglob("*.part"))
    assert _write(tmp_path).segments == ("a",)
    assert not list(tmp_path.rglob("*.part"))


def test_nothing_is_overwritten(tmp_path):
    _write(tmp_path)
    with pytest.raises(UsageError, match="complete segment 'a' already"):
        SegmentWriter(tmp_path, "a", "hash")
    assert completed_segments(tmp_path, "hash") == {"a"}
    with pytest.raises(UsageError, match="other settings"):
        completed_segments(tmp_path, "changed")
    with pytest.raises(UsageError, match="other settings"):
        write_provenance(tmp_path, _provenance("changed"))


def test_bad_input_gets_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        DriveLog(tmp_path / "absent")
    with pytest.raises(UsageError, match="not a drive log"):
        DriveLog(tmp_path)
    log = _write(tmp_path / "log", components=("ego_intent",))
    with pytest.raises(UsageError, match="no complete segment 'z'"):
        log.table("ego_intent", "z")
    with pytest.raises(UsageError, match="no table 'camera_image'; it has ego_intent"):
        log.table("camera_image", "a")
    with SegmentWriter(tmp_path / "log", "b", "hash") as writer:
        with pytest.raises(ValueError, match="Unknown component"):
            writer.append("camera", {})
        with pytest.raises(ValueError, match=r"unknown columns \['intent'\] and lacks"):
            writer.append("ego_intent", {TIMESTAMP: 0, "intent": 1})
    with pytest.raises(ValueError, match="readable picture"):
        decode_jpeg(b"not a picture")


def test_labels_keep_every_value_and_depth_its_step():
    rng = np.random.default_rng(0)
    for dtype in (np.uint8, np.uint16):
        labels = rng.integers(0, np.iinfo(dtype).max + 1, (17, 23)).astype(dtype)
        stored = decode_labels(encode_labels(labels))
        assert stored.dtype == dtype
        np.testing.assert_array_equal(stored, labels)
    depth = rng.uniform(0.5, 1000, (17, 23)).astype(np.float32)
    np.testing.assert_allclose(decode_depth(encode_depth(depth)), depth, atol=1 / 128 + 1e-4)
    with pytest.raises(ValueError, match="uint8 or uint16"):
        encode_labels(depth)


def test_jpeg_keeps_the_order_of_the_channels():
    orange = np.zeros((16, 16, 3), np.uint8) + np.array([230, 120, 20], np.uint8)
    np.testing.assert_allclose(decode_jpeg(encode_jpeg(orange, 95)), orange, atol=3)


def test_provenance_says_what_the_pictures_are(tmp_path):
    _write(tmp_path)
    assert json.loads((tmp_path / "provenance.json").read_text())["domain"] == "carla-protocol simulator"
