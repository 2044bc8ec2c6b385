"""The follower on a bicycle of its own, and scores of drives that are written down by hand."""

import numpy as np
import pytest

from phipd_sim2real.driving import Moment
from planner_eval.closed_loop.follower import PlanFollower
from planner_eval.closed_loop.scoring import Bounds, score_drive
from planner_eval.closed_loop.settings import FollowerSettings
from planner_eval.plans import TIMES_S

WHEELBASE, DELTA_S = 2.88, 0.05
BOUNDS = Bounds(length_m=100.0, seconds=30.0, off_route_m=10.0)


def pose(x, y, yaw):
    made = np.eye(4)
    made[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    made[:2, 3] = x, y
    return made


def driven(plan, speed, seconds=4.0):
    """Rear axle (n, 2) and speeds (n,) of a kinematic bicycle that follows one plan from the origin."""
    follower = PlanFollower(FollowerSettings(), WHEELBASE, np.radians(30.0))
    follower.take(plan, np.eye(4), 0.0)
    x = y = yaw = 0.0
    places, speeds = [], []
    for tick in range(round(seconds / DELTA_S)):
        throttle, brake, steer = follower.control(pose(x, y, yaw), speed, tick * DELTA_S, DELTA_S)
        speed = max(0.0, speed + (4.0 * throttle - 8.0 * brake) * DELTA_S)
        yaw += speed * np.tan(steer) / WHEELBASE * DELTA_S
        x, y = x + speed * np.cos(yaw) * DELTA_S, y + speed * np.sin(yaw) * DELTA_S
        places.append((x, y))
        speeds.append(speed)
    return np.array(places), np.array(speeds)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_arc_is_driven_as_planned(side):
    angle = 8.0 * TIMES_S / 30.0
    plan = 30.0 * np.column_stack([np.sin(angle), side * (1 - np.cos(angle))])
    places, speeds = driven(plan, 8.0)
    assert np.abs(np.hypot(places[:, 0], places[:, 1] - side * 30.0) - 30.0).max() < 0.3
    assert np.abs(speeds - 8.0).max() < 0.2


def test_a_plan_aside_is_joined_and_a_faster_one_is_reached():
    aside = np.column_stack([6.0 * TIMES_S, np.full(20, 1.5)])
    assert driven(aside, 6.0)[0][-1, 1] == pytest.approx(1.5, abs=0.15)
    faster = np.column_stack([10.0 * TIMES_S, np.zeros(20)])
    assert driven(faster, 5.0)[1][-1] == pytest.approx(10.0, abs=0.8)


def test_a_plan_that_stands_stops_the_car_for_good():
    places, speeds = driven(np.zeros((20, 2)), 8.0)
    assert speeds[-1] == 0.0
    assert places[-1, 0] < 12.0


def moments(count=100, along_per_tick=1.0, **special):
    """A drive along x; `special` maps a field to the ticks at which it is true."""
    return [
        Moment(
            frame=1000 + tick,
            time_s=0.1 * tick,
            pose_vehicle_in_world=pose(along_per_tick * tick, 0.0, 0.0),
            speed=10.0,
            along_m=along_per_tick * tick,
            off_route_m=0.0,
            **{name: tick in special.get(name, ()) for name in ("off_road", "oncoming", "ran_red")},
        )
        for tick in range(1, count + 1)
    ]


def scored(drive, collisions=(), bounds=BOUNDS):
    return score_drive("arm", 0, "route", drive, list(collisions), 0.0, bounds)


def test_a_clean_drive_succeeds():
    record = scored(moments())
    assert (record.ending, record.success, record.completion) == ("completed", True, 1.0)
    assert record.seconds == pytest.approx(9.9)
    assert record.distance_m == pytest.approx(98.0)


def test_a_collision_counts_from_its_frame_though_it_was_told_later():
    record = scored(moments(), [(1050, "vehicle"), (1050, "vehicle"), (1051, "static")])
    assert (record.ending, record.success, record.collisions) == ("collision", False, {"vehicle": 1})
    assert record.completion == pytest.approx(50 / 99)


def test_a_collision_before_the_planner_took_over_is_not_its_own():
    assert scored(moments(), [(990, "vehicle")]).success


@pytest.mark.parametrize(
    ("drive", "ending"),
    [
        (moments(off_road=(30,)), "off_road"),
        (moments(count=300, along_per_tick=0.1), "timed_out"),
        (moments(ran_red=(40,)), "completed"),
        (moments(oncoming=(40, 41)), "completed"),
    ],
)
def test_infractions_are_no_success(drive, ending):
    record = scored(drive)
    assert (record.ending, record.success) == (ending, False)


def test_red_lights_and_time_in_the_oncoming_lane_are_counted():
    record = scored(moments(ran_red=(40,), oncoming=(50, 51)))
    assert record.red_lights == 1
    assert record.oncoming_s == pytest.approx(0.2)
