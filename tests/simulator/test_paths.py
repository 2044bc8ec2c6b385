"""Reference lines by analytic truth: closed forms of lines, arcs, biarcs and cubics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from phipd_sim2real.simulator.grade import membrane
from phipd_sim2real.simulator.paths import (
    Pose,
    biarc,
    end_of,
    filleted,
    height_at,
    length_of,
    pose_on,
    profile,
    start_of,
    trimmed,
)


def test_a_fillet_turns_a_right_angle_by_a_quarter_circle():
    arcs = filleted([(0.0, 0.0), (50.0, 0.0), (50.0, 40.0)], 10.0)
    assert [arc.curvature for arc in arcs] == pytest.approx([0.0, 0.1, 0.0])
    assert length_of(arcs) == pytest.approx(40.0 + 5.0 * math.pi + 30.0)
    assert end_of(arcs) == pytest.approx((50.0, 40.0, math.pi / 2))


def test_a_fillet_shrinks_where_legs_are_short():
    arcs = filleted([(0.0, 0.0), (8.0, 0.0), (8.0, 8.0)], 50.0)
    assert [arc.curvature for arc in arcs] == pytest.approx([1 / 8.0])


@pytest.mark.parametrize(
    "goal", [Pose(20.0, 10.0, 1.2), Pose(15.0, -12.0, -math.pi / 2), Pose(30.0, 4.0, 0.0), Pose(-5.0, 20.0, math.pi)]
)
def test_a_biarc_is_smooth_and_arrives(goal):
    first, second = biarc(Pose(1.0, 2.0, 0.3), goal)
    assert start_of([first]) == pytest.approx((1.0, 2.0, 0.3))
    assert end_of([first]) == pytest.approx(start_of([second]))
    x, y, heading = end_of([second])
    assert (x, y) == pytest.approx((goal.x, goal.y))
    assert math.remainder(heading - goal.heading, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)


def test_a_biarc_between_points_of_a_circle_is_that_circle():
    first, second = biarc(Pose(10.0, 0.0, math.pi / 2), Pose(0.0, 10.0, math.pi))
    assert (first.curvature, second.curvature) == pytest.approx((0.1, 0.1))


def test_trimming_keeps_the_way():
    arcs = filleted([(0.0, 0.0), (50.0, 0.0), (50.0, 40.0)], 10.0)
    kept = trimmed(arcs, 42.0, 5.0)
    assert length_of(kept) == pytest.approx(length_of(arcs) - 47.0)
    assert start_of(kept) == pytest.approx(pose_on(arcs[1], 2.0))
    assert end_of(kept) == pytest.approx((50.0, 35.0, math.pi / 2))


def test_a_profile_meets_its_knots_smoothly_and_overshoots_nowhere():
    knots = [(0.0, 1.0), (40.0, 6.0), (90.0, 6.0), (150.0, -2.0)]
    cubics = profile(knots, (0.0, -0.05))
    for s, z in knots:
        assert height_at(cubics, s)[0] == pytest.approx(z)
    assert height_at(cubics, 150.0)[1] == pytest.approx(-0.05)
    heights = np.array([height_at(cubics, s) for s in np.arange(0.0, 150.0, 0.25)])
    assert heights[:, 0].max() < 6.0 + 1e-9
    assert np.abs(np.diff(heights[:, 1])).max() < 0.01


def test_a_membrane_hangs_straight_between_two_held_sides():
    held = np.zeros((40, 61), bool)
    held[:, [0, 60]] = True
    ramp = np.broadcast_to(np.linspace(2.0, 5.0, 61), (40, 61))
    hung = membrane(np.where(held, ramp, 0.0), held)
    np.testing.assert_allclose(hung, ramp, atol=0.12)
    np.testing.assert_array_equal(hung[held], ramp[held])
