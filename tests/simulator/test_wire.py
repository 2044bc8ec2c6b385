"""CARLA's byte layouts, checked against sizes and values written down by hand."""

import struct

import numpy as np
import pytest

from phipd_sim2real.simulator import pixels, wire
from phipd_sim2real.simulator.snapshots import ActorEntry, VehicleEntry, snapshot
from phipd_sim2real.simulator.wire import Transform, VehicleControl


def test_token_is_24_bytes_and_leaves_the_host_to_the_client():
    token = wire.stream_token(7, 2001)
    assert len(token) == 24
    assert struct.unpack("<IHBB16s", token) == (7, 2001, 1, 0, bytes(16))


def test_header_is_48_bytes():
    header = wire.stream_header(wire.RGB, 5, 0.25, Transform((1, 2, 3), (4, 5, 6)))
    assert len(header) == 48
    assert struct.unpack("<QQd6f", header) == (13, 5, 0.25, 1, 2, 3, 4, 5, 6)


def test_snapshot_has_119_bytes_an_actor_and_fields_in_place():
    control = VehicleControl(0.5, -0.25, 0.125, True, False, False, 1)
    actors = [
        ActorEntry(1, Transform()),
        ActorEntry(9, Transform((1, 2, 3), (0, 90, 0)), (4, 5, 6), state=VehicleEntry(control, 50.0)),
    ]
    payload = snapshot(8, 2.5, 0.1, 3, False, actors)
    assert len(payload) == 48 + 36 + 2 * 119
    assert struct.unpack_from("<Qdf", payload, 48) == (3, 2.5, np.float32(0.1))
    car = payload[48 + 36 + 119 :]
    assert struct.unpack_from("<IB6f3f", car) == (9, 1, 1, 2, 3, 0, 90, 0, 4, 5, 6)
    assert struct.unpack_from("<fff???if", car, 65) == (0.5, -0.25, 0.125, True, False, False, 1, 50.0)


def test_depth_survives_its_24_bits():
    depth = np.array([[0.0, 0.5, 12.345678, 999.9, 1000.0, 5000.0]], np.float32)
    blue, green, red = (pixels.depth_to_bgra(depth)[..., channel].astype(np.float64) for channel in range(3))
    metres = 1000.0 * (red + 256 * green + 65536 * blue) / (2**24 - 1)
    np.testing.assert_allclose(metres, np.minimum(depth, 1000.0), atol=1000.0 / 2**24)


def test_labels_and_instances_land_in_their_channels():
    labels, instances = np.array([[14]], np.uint8), np.array([[0xABCD]], np.uint16)
    assert pixels.semantics_to_bgra(labels).tolist() == [[[0, 0, 14, 255]]]
    assert pixels.instances_to_bgra(labels, instances).tolist() == [[[0xAB, 0xCD, 14, 255]]]
    assert pixels.rgb_to_bgra(np.array([[[1, 2, 3]]], np.uint8)).tolist() == [[[3, 2, 1, 255]]]


def test_camera_payload_length():
    payload = pixels.camera_payload(bytes(48), 90.0, np.zeros((3, 5, 4), np.uint8))
    assert len(payload) == 48 + 12 + 60
    assert struct.unpack_from("<IIf", payload, 48) == (5, 3, 90.0)


def test_control_is_clipped_to_its_range():
    control = VehicleControl.read([2.0, -3.0, 0.5, False, False, False, 0])
    assert control[:3] == (1.0, -1.0, 0.5)


@pytest.mark.parametrize("bad", [[float("nan"), 0, 0], [1e30, 0, 0], [0, 0], [0, 0, 0, 0], ["x", 0, 0]])
def test_vectors_that_would_poison_the_world_are_refused(bad):
    with pytest.raises((ValueError, TypeError)):
        wire.read_vector(bad)
