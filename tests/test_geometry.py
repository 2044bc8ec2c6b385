"""Axis conversions against CARLA's own transforms and against their inverses; ego states on known motions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phipd_sim2real.capture.rig import CameraMount
from phipd_sim2real.geometry import (
    FUTURE_TIMES_S,
    PAST_TIMES_S,
    angular_velocity_from_carla,
    ego_states,
    invert,
    pose_from_carla,
    pose_to_carla,
    transform_points,
    vector_from_carla,
    yaw_of,
)

coordinates = st.floats(-1000, 1000)
locations = st.tuples(coordinates, coordinates, coordinates)
rotations = st.tuples(st.floats(-89, 89), st.floats(-179.9, 179.9), st.floats(-179.9, 179.9))


@given(locations, rotations)
@settings(deadline=None)
def test_a_pose_survives_the_way_to_carla_and_back(location, rotation):
    back_location, back_rotation = pose_to_carla(pose_from_carla(location, rotation))
    np.testing.assert_allclose(back_location, location, atol=1e-9)
    np.testing.assert_allclose(back_rotation, rotation, atol=1e-6)


@given(locations, rotations)
@settings(deadline=None)
def test_poses_are_rigid_and_right_handed(location, rotation):
    pose = pose_from_carla(location, rotation)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(pose @ invert(pose), np.eye(4), atol=1e-9)


@given(locations, rotations, locations)
@settings(max_examples=50, deadline=None)
def test_points_go_where_carla_sends_them(location, rotation, point):
    carla = pytest.importorskip("carla", reason="needs the carla wheel")
    transform = carla.Transform(carla.Location(*location), carla.Rotation(*rotation))
    moved = transform.transform(carla.Location(*point))
    ours = transform_points(pose_from_carla(location, rotation), vector_from_carla(point))
    np.testing.assert_allclose(ours, vector_from_carla([moved.x, moved.y, moved.z]), atol=2e-3)


def test_a_right_turn_in_carla_is_a_negative_yaw_here():
    assert yaw_of(pose_from_carla((0, 0, 0), (0, 30, 0))) == pytest.approx(np.radians(-30))


def test_angular_velocity_follows_the_rotation_it_describes():
    pose_later = pose_from_carla((0, 0, 0), (0, 1.0, 0))
    assert angular_velocity_from_carla((0, 0, 1.0))[2] == pytest.approx(yaw_of(pose_later))


def _circle(times, speed, curvature, start_yaw=0.7):
    yaw = start_yaw + speed * curvature * times
    poses = np.tile(np.eye(4), (len(times), 1, 1))
    poses[:, 0, 3] = 50 + (np.sin(yaw) - np.sin(start_yaw)) / curvature
    poses[:, 1, 3] = -20 - (np.cos(yaw) - np.cos(start_yaw)) / curvature
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(yaw)
    poses[:, 1, 0], poses[:, 0, 1] = np.sin(yaw), -np.sin(yaw)
    return poses


@pytest.mark.parametrize("curvature", [0.02, -0.015])
def test_ego_states_on_a_circle(curvature):
    times, speed = np.arange(100) * 0.1 + 3.0, 9.0
    states = ego_states(times, _circle(times, speed, curvature), t0_s=7.0)
    for relative, found in ((FUTURE_TIMES_S, states.future), (PAST_TIMES_S, states.past[:, :2])):
        turned = speed * curvature * relative
        expected = np.stack([np.sin(turned), 1 - np.cos(turned)], axis=1) / curvature
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert states.future_valid.all()
    np.testing.assert_allclose(states.past[-1, :4], [0, 0, speed, 0], atol=0.02)
    np.testing.assert_allclose(states.past[-1, 4:], [0, speed**2 * curvature], atol=0.05)


def test_the_past_does_not_see_what_comes_after_t0():
    times = np.arange(120) * 0.1
    calm = _circle(times, 8.0, 1e-6)
    swerving = calm.copy()
    swerving[61:, 1, 3] += 3.0
    np.testing.assert_array_equal(ego_states(times, calm, 6.0).past, ego_states(times, swerving, 6.0).past)


def test_the_future_is_masked_at_the_end_and_in_gaps():
    times = np.delete(np.arange(90) * 0.1, np.arange(60, 66))
    states = ego_states(times, _circle(times, 8.0, 0.01), 5.0)
    expected = (FUTURE_TIMES_S <= 3.9) & ((FUTURE_TIMES_S <= 0.9) | (FUTURE_TIMES_S >= 1.6))
    np.testing.assert_array_equal(states.future_valid, expected)
    assert np.isnan(states.future[~expected]).all()
    assert np.isfinite(states.future[expected]).all()


@pytest.mark.parametrize(("t0", "message"), [(2.0, "of past"), (5.05, "no vehicle pose")])
def test_what_cannot_be_answered_is_refused(t0, message):
    times = np.arange(100) * 0.1
    with pytest.raises(ValueError, match=message):
        ego_states(times, _circle(times, 8.0, 0.01), t0)


vectors = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50))


@given(rotations, vectors)
@settings(max_examples=50, deadline=None)
def test_a_camera_turned_by_our_angles_is_the_one_that_carla_turns(rotation, point):
    """A rig's yaw, pitch and roll become CARLA's rotation and come back: positive yaw is to the left here."""
    carla = pytest.importorskip("carla", reason="needs the carla wheel")
    mount = CameraMount(
        camera=1, width=64, height=64, fov_degrees=60, position_in_vehicle=(1.0, 0.5, 2.0),
        pitch_degrees=rotation[0], yaw_degrees=rotation[1], roll_degrees=rotation[2],
    )  # fmt: skip
    location, turned = pose_to_carla(mount.pose_camera_in_vehicle())
    np.testing.assert_allclose(turned, (rotation[0], -rotation[1], rotation[2]), atol=1e-6)
    transform = carla.Transform(carla.Location(*map(float, location)), carla.Rotation(*map(float, turned)))
    moved = transform.transform(carla.Location(*map(float, vector_from_carla(point))))
    ours = transform_points(mount.pose_camera_in_vehicle(), np.array(point))
    np.testing.assert_allclose(vector_from_carla([moved.x, moved.y, moved.z]), ours, atol=2e-3)


def test_left_up_and_a_lean_to_the_right_are_what_they_say():
    axes = {name: CameraMount(
        camera=1, width=64, height=64, fov_degrees=60, position_in_vehicle=(0, 0, 0), **{f"{name}_degrees": 10.0}
    ).pose_camera_in_vehicle() for name in ("yaw", "pitch", "roll")}  # fmt: skip
    assert axes["yaw"][1, 0] > 0.1, "looks to the left"
    assert axes["pitch"][2, 0] > 0.1, "looks up"
    assert axes["roll"][2, 1] > 0.1, "its left side rises"


@given(rotations, vectors)
@settings(max_examples=50, deadline=None)
def test_a_body_that_turns_moves_its_points_as_its_angular_velocity_says(rotation, point):
    """Small turn about CARLA's z (clockwise from above) against ω × r in right-handed axes."""
    pose = pose_from_carla((0, 0, 0), (0, rotation[1], 0))
    later = pose_from_carla((0, 0, 0), (0, rotation[1] + 0.01, 0))
    moved = transform_points(later, np.array(point)) - transform_points(pose, np.array(point))
    omega = angular_velocity_from_carla((0.0, 0.0, 0.01))
    np.testing.assert_allclose(moved, np.cross(omega, transform_points(pose, np.array(point))), atol=1e-5)


@given(vectors)
@settings(deadline=None)
def test_mirroring_is_its_own_inverse_and_keeps_lengths(vector):
    np.testing.assert_array_equal(vector_from_carla(vector_from_carla(vector)), vector)
    assert np.linalg.norm(vector_from_carla(vector)) == pytest.approx(np.linalg.norm(vector))
