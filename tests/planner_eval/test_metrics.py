"""Metrics against hand-computed answers; failures stay failures."""

import numpy as np
import pytest

from planner_eval.collision import EgoSize
from planner_eval.metrics import METRICS, Score
from planner_eval.plan_batch import PlanBatch
from planner_eval.plans import TIMES_S, Plans

SPEED = 11.0
STRAIGHT = np.stack([SPEED * TIMES_S, np.zeros(20)], axis=1)
PAST = np.column_stack([SPEED * np.arange(-15, 1) * 0.25, np.zeros(16), np.full(16, SPEED), np.zeros((16, 3))])


def batch(
    plans, futures=None, future_valid=None, failures=None, raters=None, scores=None, road_users=None
) -> PlanBatch:
    plans = np.asarray(plans, dtype=float)[:, None]
    count = len(plans)
    return PlanBatch(
        trajectories=plans,
        probabilities=np.ones((count, 1)),
        failures=failures or ("",) * count,
        future=np.array(futures if futures is not None else [STRAIGHT] * count),
        future_valid=np.ones((count, 20), bool) if future_valid is None else future_valid,
        past=np.stack([PAST] * count),
        rater_trajectories=raters or ((),) * count,
        rater_scores=scores or ((),) * count,
        road_users=road_users or (None,) * count,
        ego=EgoSize(),
    )


def test_displacements_of_a_plan_that_drifts_sideways():
    drift = STRAIGHT + np.stack([np.zeros(20), 0.1 * np.arange(1, 21)], axis=1)
    given = batch([drift])
    assert METRICS["ade_3s"](given).mean == pytest.approx(0.1 * np.arange(1, 13).mean())
    assert METRICS["ade_5s"](given).mean == pytest.approx(0.1 * np.arange(1, 21).mean())
    assert METRICS["ade_1s"](given).mean == pytest.approx(0.25)
    assert METRICS["fde_1s"](given).mean == pytest.approx(0.4)
    assert METRICS["fde_3s"](given).mean == pytest.approx(1.2)
    assert METRICS["fde_5s"](given).mean == pytest.approx(2.0)
    assert METRICS["miss_rate_5s"](given).mean == 0.0
    assert METRICS["miss_rate_5s"](batch([drift * [1, 1.01]])).mean == 1.0


@pytest.mark.parametrize(
    ("offset", "expected"), [((0, 0.99), 1.0), ((0, 1.01), 0.0), ((3.99, 0), 1.0), ((4.01, 0), 0.0)]
)
def test_success_is_the_trust_region_of_the_log(offset, expected):
    assert METRICS["success_rate"](batch([STRAIGHT + offset])).mean == expected


def test_success_around_a_good_rater_but_not_a_bad_one():
    aside = STRAIGHT + np.array([0, 5.0])
    given = batch([aside, aside], raters=((aside,), (aside,)), scores=((6.0,), (5.9,)))
    np.testing.assert_array_equal(METRICS["success_rate"](given).values, [1.0, 0.0])
    np.testing.assert_allclose(METRICS["rfs"](given).values, [6.0, 5.9])
    np.testing.assert_allclose(METRICS["ade_5s_toprater"](given).values, 0.0)
    np.testing.assert_allclose(
        METRICS["ade_3s_toprater"](batch([STRAIGHT], raters=((aside,),), scores=((6.0,),))).values, 5.0
    )


def test_what_has_no_value_is_invalid_with_a_reason():
    reaches_3s = np.ones((3, 20), bool)
    reaches_3s[1, 12:] = False
    given = batch([STRAIGHT] * 3, future_valid=reaches_3s, failures=("", "", "decode_error"))
    short, long = METRICS["ade_3s"](given), METRICS["ade_5s"](given)
    np.testing.assert_array_equal(short.valid, [True, True, False])
    np.testing.assert_array_equal(long.valid, [True, False, False])
    assert long.reasons == ("", "missing_future", "decode_error")
    assert np.isnan(long.values[1:]).all()
    rated = METRICS["rfs"](given)
    assert rated.reasons[0] == "no_raters"
    assert rated.mean is None


def test_several_proposals_drive_the_most_probable_and_weigh_the_rfs():
    plans = Plans(np.stack([STRAIGHT, STRAIGHT + np.array([0, 50.0])])[None], np.array([[0.25, 0.75]]))
    given = PlanBatch(
        plans.trajectories, plans.probabilities, ("",), PAST[None], STRAIGHT[None], np.ones((1, 20), bool),
        ((STRAIGHT,),), ((8.0,),), (None,), EgoSize(),
    )  # fmt: skip
    assert METRICS["fde_5s"](given).mean == pytest.approx(50.0)
    assert METRICS["rfs"](given).mean == pytest.approx(0.25 * 8.0 + 0.75 * 4.0)
    assert METRICS["min_ade_5s_k2"](given).mean == 0.0
    assert METRICS["min_ade_5s_k3"](given).reasons == ("fewer_proposals",)


def test_collisions_along_the_plan_count_where_the_log_has_none():
    ahead = np.array([[waypoint, 30.0, 0.0, 4.0, 2.0, 0.0] for waypoint in range(20)], np.float32)
    beside = ahead + np.array([0, 0, 5.0, 0, 0, 0], np.float32)
    aside = STRAIGHT + np.array([0.0, 5.0])
    given = batch([STRAIGHT, aside, aside, STRAIGHT], road_users=(beside, beside, ahead, None))
    collision, success = METRICS["collision_rate"](given), METRICS["success_rate_no_collision"](given)
    np.testing.assert_array_equal(collision.values, [0.0, 1.0, np.nan, np.nan])
    assert collision.reasons == ("", "", "log_overlaps", "no_boxes")
    np.testing.assert_array_equal(success.values, [1.0, 0.0, np.nan, np.nan])


def test_plans_and_scores_check_their_shapes():
    with pytest.raises(ValueError, match="belong together"):
        Plans(np.zeros((2, 20, 2)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="valid"):
        Score(np.zeros(2), np.ones(3, bool), ("", ""), "m", "lower")
