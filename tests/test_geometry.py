"""Axis conversions against CARLA's own transforms and against their inverses; ego states on known motions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
def test_a_pose_survives_the_way_to_carla_and_back(location, rotation):
    back_location, back_rotation = pose_to_carla(pose_from_carla(location, rotation))
    np.testing.assert_allclose(back_location, location, atol=1e-9)
    np.testing.assert_allclose(back_rotation, rotation, atol=1e-6)


@given(locations, rotations)
def test_poses_are_rigid_and_right_handed(location, rotation):
    pose = pose_from_carla(location, rotation)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(pose @ invert(pose), np.eye(4), atol=1e-9)


@given(locations, rotations, locations)
@settings(max_examples=50)
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
