"""Baselines have closed forms."""

import numpy as np
import pytest

from phipd_sim2real.waymo import PlannerSample, SampleKey
from planner_eval.baselines import BASELINES
from planner_eval.plans import TIMES_S


def sample(velocity: tuple[float, float]) -> PlannerSample:
    past = np.zeros((16, 6))
    past[-1, 2:4] = velocity
    return PlannerSample(SampleKey("log", "segment", 0), {}, {}, past, 1, np.zeros((20, 2)), np.ones(20, bool))


def test_constant_velocity_is_velocity_times_time():
    plans = BASELINES["constant-velocity"]().plan([sample((8.0, -0.5)), sample((0.0, 0.0))])
    assert plans.trajectories.shape == (2, 1, 20, 2)
    np.testing.assert_allclose(plans.trajectories[0, 0, -1], [40.0, -2.5])
    np.testing.assert_allclose(plans.trajectories[1], 0.0)
    np.testing.assert_array_equal(plans.probabilities, [[1.0], [1.0]])


def moving(speed, rate=0.0, acceleration=0.0):
    """A sample whose past keeps a turn rate and an acceleration, heading along x at t = 0."""
    times = np.arange(-15, 1) * 0.25
    speeds, heading = np.maximum(speed + acceleration * times, 0.0), rate * times
    past = np.zeros((16, 6))
    past[:, 2:4] = speeds[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return PlannerSample(SampleKey("log", "segment", 0), {}, {}, past, 1, np.zeros((20, 2)), np.ones(20, bool))


def turning(*samples):
    return BASELINES["constant-turn-rate-acceleration"]().plan(samples).trajectories[:, 0]


def test_constant_turn_rate_drives_the_circle():
    path = turning(moving(8.0, rate=0.4))[0]
    angle = 0.4 * TIMES_S
    np.testing.assert_allclose(path, 20.0 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1), atol=1e-3)
    mirrored = turning(moving(8.0, rate=-0.4))[0]
    np.testing.assert_allclose(mirrored, path * [1, -1], atol=1e-9)


def test_constant_acceleration_is_a_parabola_and_braking_ends_in_a_stop():
    faster, braking = turning(moving(8.0, acceleration=1.0), moving(6.0, acceleration=-3.0))
    np.testing.assert_allclose(faster[:, 0], 8.0 * TIMES_S + 0.5 * TIMES_S**2, atol=1e-3)
    assert braking[-1, 0] == pytest.approx(6.0)  # v² / 2a
    np.testing.assert_allclose(braking[8:], braking[-1:].repeat(12, axis=0), atol=1e-9)


def test_a_stopped_car_stays_whatever_its_noise_says():
    noisy = moving(0.0)
    noisy.past[:, 2:4] = np.random.default_rng(0).normal(scale=0.01, size=(16, 2))
    assert np.abs(turning(noisy)).max() < 0.5
    np.testing.assert_array_equal(turning(moving(0.0)), np.zeros((1, 20, 2)))
    assert turning().shape == (0, 20, 2)


def test_stand_still_stays():
    plans = BASELINES["stand-still"]().plan([sample((8.0, 0.0))])
    assert not plans.trajectories.any()


def test_no_samples_give_no_plans():
    assert BASELINES["constant-velocity"]().plan([]).trajectories.shape == (0, 1, 20, 2)
