"""Routes, intents and the reference driver on a way that is drawn by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

from phipd_sim2real.drivelog.schema import INTENT_LEFT, INTENT_RIGHT, INTENT_STRAIGHT
from phipd_sim2real.driving.reference import BEFORE_LINE_M, FRONT_M, LATERAL_M_S2, reference_path
from phipd_sim2real.driving.routes import Route
from phipd_sim2real.driving.settings import DrivingSettings

RADIUS = 12.0


def left_turn(side: float = 1.0) -> Route:
    """50 m along x, a quarter circle through a junction, and on along y."""
    arc = np.arange(0, np.pi / 2, 1 / RADIUS)
    straight = np.column_stack([np.arange(50.0), np.zeros(50)])
    bend = np.array([50.0, 0]) + RADIUS * np.column_stack([np.sin(arc), 1 - np.cos(arc)])
    end = np.column_stack([np.full(60, bend[-1, 0]), bend[-1, 1] + 1.0 + np.arange(60)])
    yaws = np.concatenate([np.zeros(50), arc, np.full(60, np.pi / 2)])
    in_junction = np.repeat([False, True, False], [50, len(arc), 60])
    points = np.concatenate([straight, bend, end]) * [1, side]
    return Route("drawn", 0, points, side * yaws, in_junction, 100.0)


def test_a_car_is_found_along_and_beside_its_route():
    route = left_turn()
    along, away = route.project(np.array([20.3, -1.5]), near_m=18.0)
    assert (along, away) == (pytest.approx(20.3), pytest.approx(1.5))
    np.testing.assert_allclose(route.at(np.array([20.3])), [[20.3, 0.0]])


def test_a_car_is_not_found_where_the_route_comes_by_again():
    there = np.column_stack([np.arange(40.0), np.zeros(40)])
    back = there[::-1] + np.array([0.0, 1.0])
    route = Route("loop", 0, np.concatenate([there, back]), np.zeros(80), np.zeros(80, bool), 80.0)
    along, away = route.project(np.array([10.0, 0.9]), near_m=9.0)
    assert (along, away) == (pytest.approx(10.0), pytest.approx(0.9))


@pytest.mark.parametrize(("side", "turn"), [(1.0, INTENT_LEFT), (-1.0, INTENT_RIGHT)])
def test_the_turn_is_announced_ahead_of_its_junction_and_until_its_end(side, turn):
    route = left_turn(side)
    found = [route.intent(along, look_ahead_m=20.0) for along in (10.0, 29.0, 31.0, 49.0, 60.0, 66.0, 75.0)]
    assert found == [INTENT_STRAIGHT, INTENT_STRAIGHT, turn, turn, turn, turn, INTENT_STRAIGHT]


def test_the_reference_keeps_its_speed_on_the_straight_and_slows_for_the_bend():
    path = reference_path(left_turn(), 0.0, 8.0, 8.0, None)
    np.testing.assert_allclose(path[:12], np.column_stack([2.0 * np.arange(1, 13), np.zeros(12)]), atol=0.05)
    bend = reference_path(left_turn(), 45.0, 6.0, 8.0, None)
    slowest = np.linalg.norm(np.diff(bend, axis=0), axis=1).min() / 0.25
    assert slowest == pytest.approx(np.sqrt(LATERAL_M_S2 * RADIUS), rel=0.05)


def test_the_reference_stands_before_a_red_light():
    path = reference_path(left_turn(), 10.0, 8.0, 8.0, stop_m=40.0)
    assert path[:, 0].max() <= 40.0 - BEFORE_LINE_M - FRONT_M + 0.1
    later = reference_path(left_turn(), 34.5, 0.5, 8.0, stop_m=40.0)
    assert np.ptp(later[-4:, 0]) < 0.05
    passed = reference_path(left_turn(), 34.5, 0.5, 8.0, None)
    assert passed[-1, 0] > 45.0


def test_a_plan_period_is_a_multiple_of_the_step():
    with pytest.raises(ValidationError, match="multiple"):
        DrivingSettings(maps=("Orchard01",), plan_period_s=0.25, delta_s=0.1)
