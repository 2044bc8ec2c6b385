"""Baselines have closed forms."""

import numpy as np

from phipd_sim2real.waymo import PlannerSample, SampleKey
from planner_eval.baselines import BASELINES


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


def test_stand_still_stays():
    plans = BASELINES["stand-still"]().plan([sample((8.0, 0.0))])
    assert not plans.trajectories.any()


def test_no_samples_give_no_plans():
    assert BASELINES["constant-velocity"]().plan([]).trajectories.shape == (0, 1, 20, 2)
