"""Pixels and states of known value on their way into the log."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from phipd_sim2real.capture import rows
from phipd_sim2real.capture.cameras import (
    CameraArray,
    Frames,
    Picture,
    SensorQueue,
    depth_from_bgra,
    instances_from_bgra,
)
from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.drivelog import SegmentWriter, decode_depth, decode_labels
from phipd_sim2real.errors import StageError

carla = pytest.importorskip("carla", reason="needs the carla wheel")

RIG = Rig(
    rear_axle_behind_origin_m=1.5,
    cameras=(CameraMount(camera=1, width=32, height=16, fov_degrees=90, position_in_vehicle=(2, 0, 1.6)),),
)


def test_depth_and_instances_are_decoded_as_carla_encodes_them():
    metres = np.array([[0.0, 1.0, 53.7, 999.9]])
    code = np.rint(metres / 1000 * (2**24 - 1)).astype(np.int64)
    bgra = np.stack([code >> 16, (code >> 8) & 255, code & 255, code * 0 + 255], axis=-1).astype(np.uint8)
    np.testing.assert_allclose(depth_from_bgra(bgra), metres, atol=1e-4)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 97, 4), dtype=np.uint8)
    blue, green, red = (noise[..., channel].astype(np.float64) for channel in range(3))
    in_words = (1000.0 * (red + 256 * green + 65536 * blue) / (2**24 - 1)).astype(np.float32)
    np.testing.assert_array_equal(depth_from_bgra(noise), in_words)
    rgb = Frames((noise,), None).decode().rgb
    np.testing.assert_array_equal(rgb, noise[..., 2::-1])
    assert rgb.flags["C_CONTIGUOUS"]
    instance = np.array([[[0x12, 0x34, 14, 255]]], np.uint8)
    assert instances_from_bgra(instance)[0, 0] == 0x1234


class _Sensor:
    type_id = "sensor.camera.rgb"

    def listen(self, callback):
        self.send = callback


def _image(frame, buffer):
    return SimpleNamespace(frame=frame, width=4, height=2, raw_data=memoryview(buffer))


def test_frames_are_matched_by_id_and_their_pixels_copied():
    sensor, buffer = _Sensor(), bytearray(32)
    frames = SensorQueue(sensor)
    for frame in (7, 8, 9):
        buffer[:] = bytes([frame]) * 32
        sensor.send(_image(frame, buffer))
    assert (frames.take(8) == 8).all()
    assert (frames.take(9) == 9).all()


def test_a_lost_frame_is_an_error_not_another_frame():
    sensor = _Sensor()
    frames = SensorQueue(sensor)
    sensor.send(_image(12, bytearray(32)))
    with pytest.raises(StageError, match="skipped frame 11 and sent 12"):
        frames.take(11)


def test_the_first_tick_waits_for_cameras_that_connect_late():
    sensors, sent = [_Sensor(), _Sensor()], []
    array = CameraArray.__new__(CameraArray)
    array._queues = {camera: [SensorQueue(sensor)] for camera, sensor in enumerate(sensors)}

    def tick():
        sent.append(len(sent))
        for sensor in sensors[: len(sent)]:  # the second one misses a frame
            sensor.send(_image(sent[-1], bytearray(32)))

    array.settle(tick)
    assert sent == [0, 1]


def _state(x, y, yaw, velocity=(0, 0, 0), turning=(0, 0, 0), acceleration=(0, 0, 0)):
    return SimpleNamespace(
        get_transform=lambda: carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(0, yaw, 0)),
        get_velocity=lambda: carla.Vector3D(*velocity),
        get_angular_velocity=lambda: carla.Vector3D(*turning),
        get_acceleration=lambda: carla.Vector3D(*acceleration),
    )


def test_the_ego_is_seen_from_its_rear_axle():
    moment = rows.ego_moment(_state(10, 5, 90, velocity=(0, 8, 0), turning=(0, 0, 20)), RIG, 300_000)
    np.testing.assert_allclose(moment.pose_vehicle_in_world[:3, 3], [10, -5 + 1.5, 0], atol=1e-5)
    np.testing.assert_allclose(moment.pose_vehicle_in_world[:3, 0], [0, -1, 0], atol=1e-6)
    sideways = math.radians(20) * 1.5
    np.testing.assert_allclose(moment.velocity_in_world, [sideways, -8, 0], atol=1e-5)


def test_a_car_ahead_to_the_right_has_a_box_there():
    moment = rows.ego_moment(_state(0, 0, 0), RIG, 0)
    tracked = rows.TrackedObject(5, 2, 1, np.array([0.1, 0.0, 0.7]), np.array([4.0, 1.8, 1.5]))
    row = rows.box_row(moment, tracked, _state(20, 3, 30, velocity=(6, 0, 0)))
    prefix = "[LiDARBoxComponent]."
    heading = math.radians(-30)
    assert row[prefix + "box.heading"] == pytest.approx(heading)
    assert row[prefix + "box.center.x"] == pytest.approx(21.5 + 0.1 * math.cos(heading), abs=1e-5)
    assert row[prefix + "box.center.y"] == pytest.approx(-3 + 0.1 * math.sin(heading), abs=1e-5)
    assert row[prefix + "box.center.z"] == pytest.approx(0.7)
    assert row[prefix + "speed.x"] == pytest.approx(6)
    assert rows.box_row(moment, tracked, _state(120, 0, 0)) is None


def test_a_box_is_accelerated_over_ground_along_the_egos_axes():
    """A car on a circle of 20 m to its left at 8 m/s that brakes by 2 m/s², seen by an ego that faces -y in CARLA."""
    heading = math.radians(30)  # right-handed, in the world
    forward, left = np.array([math.cos(heading), math.sin(heading)]), np.array([-math.sin(heading), math.cos(heading)])
    in_world = -2.0 * forward + 8.0**2 / 20.0 * left
    state = _state(12, 6, -30, velocity=(*(8 * forward * (1, -1)), 0), acceleration=(*(in_world * (1, -1)), 0.5))
    tracked = rows.TrackedObject(5, 2, 1, np.zeros(3), np.ones(3))
    row = rows.box_row(rows.ego_moment(_state(0, 0, -90), RIG, 0), tracked, state)
    told = {
        name: np.array([row[f"[LiDARBoxComponent].{name}.{axis}"] for axis in "xyz"])
        for name in ("speed", "acceleration")
    }
    axis = np.array(
        [math.cos(row["[LiDARBoxComponent].box.heading"]), math.sin(row["[LiDARBoxComponent].box.heading"])]
    )
    np.testing.assert_allclose(told["speed"][:2], 8 * axis, atol=1e-5)
    assert told["acceleration"][:2] @ axis == pytest.approx(-2.0, abs=1e-5)
    assert told["acceleration"][:2] @ (-axis[1], axis[0]) == pytest.approx(3.2, abs=1e-5)
    assert told["acceleration"][2] == pytest.approx(0.5)


def test_all_rows_fit_the_schema(tmp_path):
    moment = rows.ego_moment(_state(0, 0, 0), RIG, 100_000)
    tracked = rows.TrackedObject(5, 2, 1, np.zeros(3), np.ones(3))
    labels = np.arange(512, dtype=np.uint16).reshape(16, 32)
    picture = Picture(np.zeros((16, 32, 3), np.uint8), labels.astype(np.float32), labels.astype(np.uint8), labels)
    with SegmentWriter(tmp_path, "a", "hash") as writer:
        writer.append("vehicle_pose", rows.pose_row(moment))
        writer.append("lidar_box", rows.box_row(moment, tracked, _state(5, 0, 0)))
        writer.append("camera_calibration", rows.calibration_row(RIG.cameras[0]))
        weather = {"sun_altitude_angle": 40.0, "wetness": 0.0}
        writer.append("stats", rows.stats_row(moment, "Town", weather, [1, 1, 2]))
        writer.append("ego_intent", rows.intent_row(100_000, 1))
        images = rows.image_rows(moment, 1, picture, 90)
        for component, row in images.items():
            writer.append(component, row)
    np.testing.assert_array_equal(decode_labels(images["camera_instances"]["[CameraInstancesComponent].image"]), labels)
    np.testing.assert_array_equal(decode_depth(images["camera_depth"]["[CameraDepthComponent].image"]), labels)
