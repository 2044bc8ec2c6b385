"""Every further label of a captured drive, seen through a lens with distortion and a leaning camera."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from recorded import calibrations_of, pictures_of, poses_of, seen_on_road

from phipd_sim2real.capture import CaptureSettings, capture_log
from phipd_sim2real.capture.settings import OF_PICTURES
from phipd_sim2real.capture.summary import read_table
from phipd_sim2real.capture.variety import SCENES
from phipd_sim2real.drivelog import (
    CAMERA,
    OBJECT,
    TIMESTAMP,
    DriveLog,
    column,
    decode_jpeg,
)
from phipd_sim2real.drivelog.schema import CAMERA_OBJECT
from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.motion import RecordedMotion

for package in ("carla", "embreex", "msgpack"):
    pytest.importorskip(package, reason="needs the carla extra")

LENS = {"f_u": 128, "f_v": 126, "c_u": 118, "c_v": 72, "k1": 0.04, "k2": -0.04, "p1": 0.001, "p2": -0.002}
LABELS = (*OF_PICTURES, "ego_state", "map_lane", "traffic_light")
MOUNT = {"width": 240, "height": 150, "lens": LENS}


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> DriveLog:
    folder = tmp_path_factory.mktemp("labels")
    mounts = [
        {"camera": 1, "position_in_vehicle": [1.9, 0.0, 1.7], "pitch_degrees": -4, "roll_degrees": 6},
        {"camera": 2, "position_in_vehicle": [1.6, 0.2, 1.7], "yaw_degrees": 40, "pitch_degrees": -3},
    ]
    rig = folder / "rig.yaml"
    rig.write_text(yaml.safe_dump({"cameras": [mount | MOUNT for mount in mounts]}))
    settings = CaptureSettings(
        maps=("Orchard01",), seconds=4.0, warm_up_s=3.0, look="source", rig=rig, labels=LABELS, seed=3,
        images={"period_s": 0.2, "window_s": (2.0, 2.6)}, stall_s=60.0,
        plan={
            "weathers": {"noon": "ClearNoon"}, "traffic": {"some": {"cars": 14}}, "tries": 1,
            "scenes": {"stop": 1}, "counts": {"Orchard01/noon/some": 1},
        },
    )  # fmt: skip
    capture_log(settings, folder / "log")
    return DriveLog(folder / "log")


def _points(row, field):
    return np.asarray(row[column("map_lane", field)]).reshape(-1, 3)


def test_every_table_is_there(log):
    assert set(LABELS) <= set(log.components(log.segments[0]))
    rows = log.completion(log.segments[0]).rows
    assert rows["camera_image"] == 8
    assert rows["camera_flow"] == 6, "the last picture of each camera has no next one"
    assert rows["ego_state"] == rows["vehicle_pose"] == 41


def test_accelerations_of_boxes_are_the_changes_of_their_speeds(log):
    boxes, poses = log.table("lidar_box", log.segments[0]), poses_of(log, log.segments[0])
    braking = 0.0
    for _, track in boxes.groupby(OBJECT):
        in_world = {
            name: np.stack(
                [poses[row[TIMESTAMP]][:3, :3] @ [row[column("lidar_box", f"{name}.{axis}")] for axis in "xyz"]
                 for _, row in track.iterrows()]
            )
            for name in ("speed", "acceleration")
        }  # fmt: skip
        changes = np.diff(in_world["speed"], axis=0) / 0.1
        consecutive = np.diff(track[TIMESTAMP]) == 100_000
        np.testing.assert_allclose(in_world["acceleration"][1:][consecutive], changes[consecutive], atol=1e-3)
        braking = max(braking, np.linalg.norm(in_world["acceleration"], axis=1).max())
    assert braking > 1.0, "somebody brakes or turns"


def test_the_official_reader_opens_every_official_table_of_a_capture(log):
    v2 = pytest.importorskip(
        "waymo_open_dataset.v2", reason="needs the waymo wheel with dask, tensorflow and scikit-learn"
    )
    opened = {
        name: [component.from_dict(row) for row in pd.read_parquet(log.path(name, log.segments[0])).to_dict("records")]
        for name, component in {
            "camera_image": v2.CameraImageComponent,
            "camera_calibration": v2.CameraCalibrationComponent,
            "vehicle_pose": v2.VehiclePoseComponent,
            "stats": v2.StatsComponent,
            "lidar_box": v2.LiDARBoxComponent,
            "camera_box": v2.CameraBoxComponent,
            "projected_lidar_box": v2.ProjectedLiDARBoxComponent,
            "lidar_camera_synced_box": v2.LiDARCameraSyncedBoxComponent,
        }.items()
    }
    rows = log.completion(log.segments[0]).rows
    assert {name: len(found) for name, found in opened.items()} == {name: rows[name] for name in opened}
    assert decode_jpeg(opened["camera_image"][0].image).shape == (150, 240, 3)
    assert (opened["camera_calibration"][0].intrinsic.f_u, opened["camera_calibration"][0].intrinsic.k1) == (128, 0.04)
    pose = np.reshape(opened["vehicle_pose"][7].world_from_vehicle.transform, (4, 4))
    time = opened["vehicle_pose"][7].key.frame_timestamp_micros
    np.testing.assert_array_equal(pose, poses_of(log, log.segments[0])[time])
    assert all(np.isfinite([box.speed.x, box.acceleration.x]).all() for box in opened["lidar_box"])


def test_plain_pandas_joins_a_capture_as_waymos_layout_says(log):
    tables = {
        name: pd.read_parquet(log.root / name / f"{log.segments[0]}.parquet")
        for name in ("camera_image", "camera_calibration", "vehicle_pose", "lidar_box")
    }
    segment, camera = "key.segment_context_name", "key.camera_name"
    pictures = tables["camera_image"].merge(tables["vehicle_pose"], on=[segment, TIMESTAMP])
    pictures = pictures.merge(tables["camera_calibration"], on=[segment, camera])
    assert len(pictures) == len(tables["camera_image"]) == 8
    np.testing.assert_array_equal(
        np.stack(pictures[column("camera_image", "pose.transform")]),
        np.stack(pictures[column("vehicle_pose", "world_from_vehicle.transform")]),
    )
    boxes = pictures.merge(tables["lidar_box"], on=[segment, TIMESTAMP])
    assert len(boxes) > len(pictures)


def test_the_staged_scene_is_recorded_as_it_came_about(log):
    scene = log.table("drive_scene", log.segments[0]).iloc[0]
    values = {name: scene[column("drive_scene", name)] for name in ("map", "weather", "traffic", "scene", "shown")}
    assert {**values, "shown": None} == {
        "map": "Orchard01", "weather": "noon", "traffic": "some", "scene": "stop", "shown": None,
    }  # fmt: skip
    assert scene[column("drive_scene", "attempts")] == 1
    assert dict(scene[column("drive_scene", "weather_parameters")])["sun_altitude_angle"] == 45
    summary = json.loads((log.root / "summary.json").read_text())
    (drive,) = summary["drives"]
    staged = {name: scene[column("drive_scene", f"seconds.{name}")] for name in SCENES}
    assert drive["scene_seconds"] == pytest.approx(staged, abs=0.2), "boxes in the log tell the same as the drive did"
    assert bool(values["shown"]) == drive["shown"] == (staged["stop"] >= 2.0)
    assert summary["totals"]["staged"] == {"stop": 1}
    assert sum(summary["totals"]["speed_counts"]) == 41
    assert (log.root / "summary.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(r"Orchard01 +noon +some +1 +4 +8 ", read_table(log.root))


def test_a_camera_box_holds_the_pixels_of_its_object_and_no_more(log):
    boxes = log.table("camera_box", log.segments[0])
    instances = pictures_of(log, log.segments[0], "camera_instances")
    assert len(boxes) >= 5
    for _, row in boxes.iterrows():
        rows, columns = np.nonzero(instances[row[TIMESTAMP], row[CAMERA]] == int(row[CAMERA_OBJECT]))
        centre, size = (
            np.array([row[column("camera_box", f"box.{part}.{axis}")] for axis in "xy"]) for part in ("center", "size")
        )
        low, high = centre - size / 2, centre + size / 2
        assert np.abs(low - (columns.min(), rows.min())).max() <= 1
        assert np.abs(high - (columns.max() + 1, rows.max() + 1)).max() <= 1


def test_a_projected_box_holds_the_camera_box_and_visibility_counts_its_pixels(log):
    segment = log.segments[0]
    projected = log.table("projected_lidar_box", segment).set_index([TIMESTAMP, CAMERA, OBJECT])
    visibility = log.table("object_visibility", segment).set_index([TIMESTAMP, CAMERA, OBJECT])
    instances = pictures_of(log, segment, "camera_instances")
    for (time, camera, name), row in visibility.iterrows():
        seen = int((instances[time, camera] == int(name)).sum())
        counted = row[column("object_visibility", "visible_pixels")]
        assert abs(counted - seen) <= max(2, 0.03 * seen)
        assert 0 <= row[column("object_visibility", "visible_share")] <= 1
        box = projected.loc[(time, camera, name)]
        area = np.prod([box[column("projected_lidar_box", f"box.size.{axis}")] for axis in "xy"])
        assert row[column("object_visibility", "outline_pixels")] <= area + 1
    for _, row in log.table("camera_box", segment).iterrows():
        box = projected.loc[(row[TIMESTAMP], row[CAMERA], row[CAMERA_OBJECT])]
        for axis in "xy":
            centre, size = (row[column("camera_box", f"box.{part}.{axis}")] for part in ("center", "size"))
            outer, outer_size = (
                box[column("projected_lidar_box", f"box.{part}.{axis}")] for part in ("center", "size")
            )
            assert abs(centre - outer) <= (outer_size - size) / 2 + 1.5


def test_the_synced_box_is_the_lidar_box_in_the_camera_that_shows_most_of_it(log):
    segment = log.segments[0]
    lidar = log.table("lidar_box", segment).set_index([TIMESTAMP, OBJECT])
    visible = log.table("object_visibility", segment)
    synced = log.table("lidar_camera_synced_box", segment)
    assert len(synced) >= 5
    for _, row in synced.iterrows():
        box = lidar.loc[(row[TIMESTAMP], row[OBJECT])]
        for axis in "xyz":
            assert row[column("lidar_camera_synced_box", f"camera_synced_box.center.{axis}")] == pytest.approx(
                box[column("lidar_box", f"box.center.{axis}")]
            )
        of = visible[(visible[TIMESTAMP] == row[TIMESTAMP]) & (visible[OBJECT] == row[OBJECT])]
        most = of.loc[of[column("object_visibility", "visible_pixels")].idxmax(), CAMERA]
        assert row[column("lidar_camera_synced_box", "most_visible_camera_name")] == most


def test_flow_is_the_exact_motion_of_the_recorded_scene(log):
    segment = log.segments[0]
    for camera in (1, 2):
        motion = RecordedMotion(log, segment, camera)
        for (time, of), flow in pictures_of(log, segment, "camera_flow").items():
            if of != camera:
                continue
            exact = motion.flow(time, time + 200_000)
            both = flow.valid & exact.valid
            assert both.mean() > 0.5
            assert (flow.valid == exact.valid).mean() > 0.98
            error = np.linalg.norm(flow.forward - exact.forward, axis=-1)[both]
            assert np.quantile(error, 0.99) < 0.25, "depth is stored in steps of 1.6 cm, flow in steps of 1/64 px"


def test_lanes_lie_on_the_road_at_the_right_depth(log):
    segment = log.segments[0]
    calibrations, poses = calibrations_of(log, segment), poses_of(log, segment)
    depths = pictures_of(log, segment, "camera_depth")
    hits = []
    for (time, camera), semantics in pictures_of(log, segment, "camera_semantics").items():
        for _, lane in log.table("map_lane", segment).iterrows():
            points = transform_points(invert(poses[time]), _points(lane, "centre"))
            near = points[np.linalg.norm(points[:, :2], axis=1) < 30]
            on_road = seen_on_road(near, calibrations[camera], semantics, depths[time, camera], rtol=0.1, atol=0.3)
            hits += on_road.tolist()
    assert len(hits) > 60
    assert np.mean(hits) > 0.6


def test_lane_boundaries_are_on_their_sides_and_the_ego_between_them(log):
    poses, lanes = poses_of(log, log.segments[0]), log.table("map_lane", log.segments[0])
    for time in (0, 2_000_000, 4_000_000):
        offsets = []
        for _, lane in lanes.iterrows():
            centre, left, right = (_points(lane, name) for name in ("centre", "left_boundary", "right_boundary"))
            np.testing.assert_allclose(left + right, 2 * centre, atol=1e-4)
            at = int(np.argmin(np.linalg.norm(centre - poses[time][:3, 3], axis=1)))
            ahead = centre[min(at + 1, len(centre) - 1)] - centre[max(at - 1, 0)]
            assert np.cross(ahead, (left - right)[at])[2] > 0, "left is to the left of the way that the lane is driven"
            offset = (poses[time][:3, 3] - centre[at]) @ (left - right)[at] / np.linalg.norm((left - right)[at]) ** 2
            offsets.append((np.linalg.norm(centre[at] - poses[time][:3, 3]), abs(offset), ahead @ poses[time][:3, 0]))
        distance, offset, along = min(offsets)
        assert distance < 3
        assert offset < 0.5, "the ego is inside its lane"
        assert along > 0, "and drives its way"


def test_the_egos_state_is_the_motion_of_its_poses(log):
    states, poses = log.table("ego_state", log.segments[0]), poses_of(log, log.segments[0])
    times = np.array(sorted(poses))
    stacked = np.stack([poses[time] for time in times])
    velocity = np.gradient(stacked[:, :3, 3], 0.1, axis=0)

    def vectors(name):
        return states[[column("ego_state", f"{name}.{axis}") for axis in "xyz"]].to_numpy()

    in_vehicle = np.einsum("nij,ni->nj", stacked[:, :3, :3], velocity)
    np.testing.assert_allclose(vectors("linear_velocity")[2:-2], in_vehicle[2:-2], atol=0.4)
    assert np.abs(vectors("linear_velocity")[:, 1]).max() < 0.1, "the rear axle does not slip"
    speeding = np.gradient(vectors("linear_velocity")[:, 0], 0.1)
    np.testing.assert_allclose(vectors("linear_acceleration")[1:-1, 0], speeding[1:-1], atol=0.3)
    centripetal = vectors("angular_velocity")[:, 2] * vectors("linear_velocity")[:, 0]
    sideways = vectors("linear_acceleration")[:, 1]
    assert np.abs(sideways[2:-2].mean() - centripetal[2:-2].mean()) < 0.1
    assert np.corrcoef(sideways[2:-2], centripetal[2:-2])[0, 1] > 0.7
    steer, turning = states[column("ego_state", "control.steer")].to_numpy(), vectors("angular_velocity")[:, 2]
    firm = np.abs(turning) > 0.08
    assert (np.sign(steer[firm]) == np.sign(turning[firm])).mean() > 0.9, "steering to the left turns to the left"
    assert states[column("ego_state", "control.throttle")].between(0, 1).all()
    assert states[column("ego_state", "speed_limit")].between(5, 30).all()
