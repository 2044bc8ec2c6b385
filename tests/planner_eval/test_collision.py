"""Overlap of oriented boxes and the road users of a log, against known geometry."""

import numpy as np
import pytest
from synthetic import DUSK, write_log

from phipd_sim2real.drivelog import TIMESTAMP, DriveLog, column
from phipd_sim2real.geometry import invert, transform_points, yaw_of
from planner_eval.collision import EgoSize, collides, ego_boxes, headings, overlap
from planner_eval.plans import TIMES_S
from planner_eval.road_users import Track, future_road_users
from planner_eval.samples import samples_from_log


def box(x, y, length=4.0, width=2.0, heading=0.0):
    return np.array([[x, y, length, width, heading]])


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (box(3.99, 0), True),
        (box(4.01, 0), False),
        (box(0, 1.99), True),
        (box(0, 2.01), False),
        (box(2.99, 0, heading=np.pi / 2), True),  # 2 m along, 1 m across
        (box(3.01, 0, heading=np.pi / 2), False),
        # A corner of the diamond points at the side: its half diagonal is sqrt(2).
        (box(0, 1 + np.sqrt(2) - 0.01, 2, 2, np.pi / 4), True),
        (box(0, 1 + np.sqrt(2) + 0.01, 2, 2, np.pi / 4), False),
        # Bounding boxes along x and y overlap, the boxes do not: only an axis of the turned one parts them.
        (box(3.0, 2.0, 4.0, 0.5, -np.pi / 4), False),
    ],
)
def test_boxes_overlap_as_drawn(second, expected):
    assert overlap(box(0, 0), second)[0] == expected
    assert overlap(second, box(0, 0))[0] == expected


def test_overlap_does_not_change_when_the_world_turns():
    rng = np.random.default_rng(0)
    first, second = (
        np.column_stack([rng.uniform(-3, 3, (200, 2)), rng.uniform(0.5, 5, (200, 2)), rng.uniform(0, 7, 200)])
        for _ in range(2)
    )
    before = overlap(first, second)
    assert 20 < before.sum() < 180
    turn = np.array([[np.cos(1.1), np.sin(1.1)], [-np.sin(1.1), np.cos(1.1)]])
    turned = (np.column_stack([boxes[:, :2] @ turn, boxes[:, 2:4], boxes[:, 4] + 1.1]) for boxes in (first, second))
    np.testing.assert_array_equal(overlap(*turned), before)


def test_the_ego_box_lies_ahead_of_the_rear_axle_and_turns_with_the_path():
    radius = 20.0
    angle = 8.0 * TIMES_S / radius
    arc = radius * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    np.testing.assert_allclose(headings(arc)[:-1], angle[:-1], atol=1e-9)
    boxes = ego_boxes(arc, EgoSize())
    np.testing.assert_allclose(np.linalg.norm(boxes[:, :2] - arc, axis=1), 1.44)
    standing = np.concatenate([arc[:5], np.repeat(arc[4:5], 15, axis=0)])
    assert np.ptp(headings(standing)[5:]) == 0
    np.testing.assert_array_equal(headings(np.zeros((20, 2))), 0.0)


def test_a_plan_meets_a_crossing_car_only_if_it_is_there_at_that_time():
    straight = np.stack([10.0 * TIMES_S, np.zeros(20)], axis=1)
    crossing = np.column_stack(
        [
            np.arange(20),
            np.full(20, 25.0),
            24.0 - 10.0 * TIMES_S,
            np.full(20, 4.0),
            np.full(20, 2.0),
            np.full(20, -np.pi / 2),
        ]
    )
    assert collides(straight, crossing, EgoSize())
    assert not collides(straight * 0.5, crossing, EgoSize())
    assert not collides(straight, np.zeros((0, 6)), EgoSize())


def test_road_users_of_a_log_are_brought_into_the_frame_of_the_sample(tmp_path, dusk_samples):
    x, y, yaw = 30.0, 4.0, 0.3
    log = DriveLog(write_log(tmp_path / "log", segments=1, colours=DUSK, period=50, parked=(x, y, yaw)))
    poses = log.table("vehicle_pose", log.segments[0])
    by_time = dict(zip(poses[TIMESTAMP], poses[column("vehicle_pose", "world_from_vehicle.transform")], strict=True))
    for sample in samples_from_log(log, road_users=True):
        pose = np.reshape(by_time[sample.key.timestamp_micros], (4, 4)).astype(float)
        place = transform_points(invert(pose), np.array([x, y, 0.0]))[:2]
        np.testing.assert_array_equal(sample.road_users[:, 0], np.arange(20))
        np.testing.assert_allclose(sample.road_users[:, 1:3], np.tile(place, (20, 1)), atol=1e-3)
        turned = sample.road_users[:, 5] - (yaw - yaw_of(pose))
        np.testing.assert_allclose(np.sin(turned), 0.0, atol=1e-4)
        np.testing.assert_allclose(sample.road_users[:, 3:5], np.tile([4.5, 1.9], (20, 1)), rtol=1e-6)
    assert next(iter(samples_from_log(log))).road_users is None
    assert all(sample.road_users is None for sample in dusk_samples)


def test_a_road_user_is_absent_where_the_log_does_not_show_it():
    times = np.arange(0, 2.05, 0.1)
    track = Track(times, np.column_stack([5.0 * times, *np.zeros((3, len(times)))]), np.ones((len(times), 2)))
    found = future_road_users([track], 0.0, np.eye(4))
    np.testing.assert_array_equal(found[:, 0], np.arange(8))
    np.testing.assert_allclose(found[:, 1], 5.0 * TIMES_S[:8], atol=1e-5)
