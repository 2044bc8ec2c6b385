"""Comfort of motions with closed forms."""

import numpy as np
import pytest

from planner_eval.comfort import comfortable, motion
from planner_eval.plans import TIMES_S

PAST_S = np.arange(-15, 1) * 0.25


def straight(distance):
    """Past and plan of a motion along x that begins at 0 at t = 0."""
    past = np.zeros((16, 6))
    past[:, 0] = distance(PAST_S)
    return past, np.stack([distance(TIMES_S), np.zeros(20)], axis=1)


def arc(speed, rate):
    def along(times):
        return speed / rate * np.stack([np.sin(rate * times), 1 - np.cos(rate * times)], axis=1)

    past = np.zeros((16, 6))
    past[:, :2] = along(PAST_S)
    return past, along(TIMES_S)


def test_constant_acceleration_is_felt_as_such():
    felt = motion(*straight(lambda t: 12 * t - 0.5 * 2.0 * t**2))
    np.testing.assert_allclose(felt["longitudinal_acceleration"], -2.0, atol=1e-9)
    for name in ("lateral_acceleration", "longitudinal_jerk", "jerk", "yaw_rate"):
        np.testing.assert_allclose(felt[name], 0.0, atol=1e-9)


def test_an_arc_has_its_turn_rate_and_lateral_acceleration():
    felt = motion(*arc(speed=8.0, rate=0.4))
    np.testing.assert_allclose(felt["yaw_rate"], 0.4, rtol=0.01)
    np.testing.assert_allclose(felt["lateral_acceleration"], 3.2, rtol=0.01)


@pytest.mark.parametrize(
    ("driven", "expected"),
    [
        (straight(lambda t: 12 * t), True),
        (straight(lambda t: 0 * t), True),
        (straight(lambda t: 12 * t + 0.5 * 2.3 * t**2), True),
        (straight(lambda t: 12 * t + 0.5 * 2.5 * t**2), False),
        (straight(lambda t: 25 * t - 0.5 * 4.0 * t**2), True),
        (straight(lambda t: 25 * t - 0.5 * 4.1 * t**2), False),
        (straight(lambda t: 12 * t + np.maximum(t, 0) ** 3), False),
        (arc(12.0, 0.38), True),
        (arc(12.0, 0.44), False),
        (arc(4.0, 0.9), True),
        (arc(4.0, 1.0), False),
    ],
)
def test_limits_are_nuplans(driven, expected):
    assert comfortable(*driven) == expected


def test_a_plan_that_does_not_go_on_from_the_past_is_uncomfortable():
    past, _ = straight(lambda t: 10 * t)
    assert not comfortable(past, np.zeros((20, 2)))
