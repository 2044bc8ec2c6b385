"""A log as a rerun recording: read back by rerun's own reader, number for number."""

import sys

import numpy as np
import pytest

from phipd_sim2real.drivelog import (
    CAMERA,
    METRES_PER_UNIT,
    OBJECT,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    column,
    decode_depth,
    encode_depth,
    encode_jpeg,
    encode_labels,
    write_provenance,
)
from phipd_sim2real.drivelog.schema import LANE
from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.quality.rerun_export import export_recording

TIMES = (0, 100_000, 200_000)
HEADING = 0.3
EXTRINSIC = pose_from_carla((1.5, 0, 1.9), (0, -50, 0))  # looks 50 degrees to the left


def _columns(component, values):
    return {column(component, name): value for name, value in values.items()}


def _picture_rows(time, camera, grey):
    keys = {TIMESTAMP: time, CAMERA: camera}
    picture = np.full((32, 64, 3), grey, np.uint8)
    image = {"image": encode_jpeg(picture, 90), "pose.transform": np.eye(4), "pose_timestamp": time / 1e6}
    image |= {f"velocity.{kind}_velocity.{axis}": 0.0 for kind in ("linear", "angular") for axis in "xyz"}
    shutter = ("shutter", "camera_trigger_time", "camera_readout_done_time")
    image |= {f"rolling_shutter_params.{name}": 0.0 for name in shutter}
    metres = np.full((32, 64), 12.5)
    metres[:8] = 1000.0
    depth = {"image": encode_depth(metres), "metres_per_unit": METRES_PER_UNIT}
    semantics = {"image": encode_labels(np.full((32, 64), 14, np.uint8))}
    tables = {"camera_image": image, "camera_depth": depth, "camera_semantics": semantics}
    return [(name, keys | _columns(name, values)) for name, values in tables.items()]


def _box_row(time):
    box = {f"box.center.{axis}": value for axis, value in zip("xyz", (20.0, -3.0, 0.75), strict=True)}
    box |= {f"box.size.{axis}": value for axis, value in zip("xyz", (4.5, 1.8, 1.5), strict=True)}
    box |= {"box.heading": HEADING, "type": 1, "num_lidar_points_in_box": 0, "num_top_lidar_points_in_box": 0}
    return {TIMESTAMP: time, OBJECT: "0002"} | _columns("lidar_box", box)


def _write(root, domain="carla-protocol simulator", grey=90, source=None):
    """Two cameras, three moments 5 m apart, a car beside the first two of them, one lane."""
    with SegmentWriter(root, "drive-0", domain) as writer:
        for number, time in enumerate(TIMES):
            pose = pose_from_carla((5 * number, 2, 0), (0, 0, 0))
            moved = _columns("vehicle_pose", {"world_from_vehicle.transform": pose})
            writer.append("vehicle_pose", {TIMESTAMP: time} | moved)
            for camera in (1, 2):
                for component, row in _picture_rows(time, camera, grey + number):
                    writer.append(component, row)
            if number < 2:
                writer.append("lidar_box", _box_row(time))
        for camera in (1, 2):
            values = {f"intrinsic.{name}": 0.0 for name in ("k1", "k2", "p1", "p2", "k3")}
            values |= {"intrinsic.f_u": 40.0, "intrinsic.f_v": 41.0, "intrinsic.c_u": 33.0, "intrinsic.c_v": 15.0}
            values |= {"extrinsic.transform": EXTRINSIC, "width": 64, "height": 32, "rolling_shutter_direction": 5}
            writer.append("camera_calibration", {CAMERA: camera} | _columns("camera_calibration", values))
        line = np.array([[0.0, 0, 0], [9, 0, 0], [18, 1, 0]])
        aside = np.array([0, 2, 0])
        lane = {"centre": line, "left_boundary": line + aside, "right_boundary": line - aside}
        lane |= {"lane_type": "Driving", "left_marking": "Solid", "right_marking": "NONE", "is_junction": False}
        writer.append("map_lane", {LANE: "1/0/-1"} | _columns("map_lane", lane))
    provenance = Provenance(domain=domain, config={}, config_hash=domain, seed=0, source_log=source)
    write_provenance(root, provenance)
    return DriveLog(root)


def _read(path):
    """(entity, component) -> {time in µs, or None where static: value}, as rerun's reader has it."""
    from rerun.chunk import RrdReader

    found = {}
    for chunk in RrdReader(path).stream().to_chunks():
        columns = chunk.to_record_batch().to_pydict()
        assert chunk.is_static or chunk.timeline_names == ["frame_time"], "the machine's clock has no place in it"
        times = [None] * chunk.num_rows
        if not chunk.is_static:
            times = [round(time.total_seconds() * 1e6) for time in columns["frame_time"]]
        for name, values in columns.items():
            if ":" in name:
                found.setdefault((chunk.entity_path, name), {}).update(zip(times, values, strict=True))
    return found


@pytest.fixture
def recorded(tmp_path):
    pytest.importorskip("rerun", reason="needs the rerun extra")
    source = _write(tmp_path / "captured")
    recorded = {"path": "../captured"}
    log = _write(tmp_path / "enhanced", domain="enhanced", grey=200, source=recorded)
    export_recording(log.root, tmp_path / "out.rrd")
    return log, source, _read(tmp_path / "out.rrd")


def test_every_table_has_its_entities_on_the_logs_timeline(recorded):
    _, _, found = recorded
    root = "/drive-0"
    inside = {path.removeprefix(root) for path, _ in found if path.startswith(root)}
    cameras = ("/vehicle/FRONT", "/vehicle/FRONT_LEFT")
    lines = {f"/lanes/{line}" for line in ("centre", "left_boundary", "right_boundary")}
    pictures = {f"{camera}/{name}" for camera in cameras for name in ("picture", "source", "depth", "semantics")}
    assert inside == {"", "/vehicle", "/vehicle/boxes", "/trajectory", *lines, *cameras, *pictures}
    for camera in cameras:
        for name, part in (
            ("picture", "EncodedImage:blob"),
            ("source", "EncodedImage:blob"),
            ("depth", "EncodedDepthImage:blob"),
            ("semantics", "SegmentationImage:buffer"),
        ):
            assert tuple(sorted(found[f"{root}{camera}/{name}", part])) == TIMES


def test_pictures_keep_their_bytes(recorded):
    log, source, found = recorded
    for name, table in (("picture", log), ("source", source)):
        rows = table.table("camera_image", "drive-0")
        jpegs = rows[rows[CAMERA] == 2][column("camera_image", "image")].tolist()
        told = found["/drive-0/vehicle/FRONT_LEFT/" + name, "EncodedImage:blob"]
        assert [bytes(told[time][0]) for time in TIMES] == jpegs
    assert found["/drive-0/vehicle/FRONT/depth", "EncodedDepthImage:meter"][0] == [1 / METRES_PER_UNIT]
    metres = decode_depth(bytes(found["/drive-0/vehicle/FRONT/depth", "EncodedDepthImage:blob"][0][0]))
    assert (metres[:8] == 0).all(), "the sky is no wall"
    assert (metres[8:] == 12.5).all()
    semantics = found["/drive-0/vehicle/FRONT/semantics", "SegmentationImage:buffer"][0][0]
    assert set(semantics) == {14}


def test_a_box_a_camera_and_the_way_have_their_numbers(recorded):
    _, _, found = recorded
    boxes = {part: found["/drive-0/vehicle/boxes", f"Boxes3D:{part}"] for part in ("centers", "half_sizes", "labels")}
    np.testing.assert_allclose(boxes["centers"][100_000], [[20, -3, 0.75]])
    np.testing.assert_allclose(boxes["half_sizes"][100_000], [[2.25, 0.9, 0.75]])
    assert boxes["labels"][100_000] == ["vehicle 0002"]
    assert not boxes["centers"][200_000], "the car is gone at the last moment"
    quaternion = found["/drive-0/vehicle/boxes", "Boxes3D:quaternions"][0][0]
    np.testing.assert_allclose(quaternion, [0, 0, np.sin(HEADING / 2), np.cos(HEADING / 2)], atol=1e-7)

    camera = "/drive-0/vehicle/FRONT_LEFT"
    intrinsic = np.reshape(found[camera, "Pinhole:image_from_camera"][None][0], (3, 3)).T  # stored by columns
    np.testing.assert_allclose(intrinsic, [[40, 0, 33], [0, 41, 15], [0, 0, 1]])
    assert found[camera, "Pinhole:resolution"][None] == [[64, 32]]
    assert found[camera, "Pinhole:camera_xyz"][None] == [[5, 4, 1]], "forward, left, up"
    np.testing.assert_allclose(found[camera, "Transform3D:translation"][None][0], [1.5, 0, 1.9])
    rotation = np.reshape(found[camera, "Transform3D:mat3x3"][None][0], (3, 3)).T
    np.testing.assert_allclose(rotation, EXTRINSIC[:3, :3], atol=1e-6)
    assert rotation[1, 0] > 0.7, "it looks to the left: y grows along its axis"

    way = found["/drive-0/trajectory", "LineStrips3D:strips"][None][0]
    np.testing.assert_allclose(way, [[0, -2, 0], [5, -2, 0], [10, -2, 0]])
    np.testing.assert_allclose(found["/drive-0/vehicle", "Transform3D:translation"][200_000][0], [10, -2, 0])
    np.testing.assert_allclose(found["/drive-0/lanes/left_boundary", "LineStrips3D:strips"][None][0][2], [18, 3, 0])


def test_without_rerun_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(UsageError, match=r"pip install 'phipd-sim2real\[rerun\]'"):
        export_recording(_write(tmp_path / "captured").root, tmp_path / "out.rrd")
    assert not (tmp_path / "out.rrd").exists()
