"""Intents of known drives."""

import numpy as np
import pytest

from phipd_sim2real.capture.intent import intents

TIMES = np.arange(200) * 0.1


def _drive(turn, first=100, last=130):
    yaw = np.interp(np.arange(200), [first - 1, last + 1], [3.0, 3.0 + turn])
    in_junction = (np.arange(200) >= first) & (np.arange(200) <= last)
    return (yaw + np.pi) % (2 * np.pi) - np.pi, in_junction


@pytest.mark.parametrize(("turn", "expected"), [(np.pi / 2, 2), (-np.pi / 2, 3), (0.2, 1)])
def test_a_turn_is_announced_before_and_through_its_junction(turn, expected):
    found = intents(TIMES, *_drive(turn))
    assert (found[50:131] == expected).all()
    assert (found[:50] == 1).all()
    assert (found[131:] == 1).all()


def test_the_nearer_of_two_junctions_counts():
    yaw = np.interp(np.arange(200), [99, 111, 119, 131], [0, np.pi / 2, np.pi / 2, 0])
    in_junction = ((TIMES >= 10) & (TIMES <= 11)) | ((TIMES >= 12) & (TIMES <= 13))
    found = intents(TIMES, yaw, in_junction)
    assert (found[60:110] == 2).all()
    assert (found[112:130] == 3).all()


def test_a_bend_without_a_junction_is_straight_on():
    yaw, _ = _drive(np.pi / 2)
    assert (intents(TIMES, yaw, np.zeros(200, bool)) == 1).all()
