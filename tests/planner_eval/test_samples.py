"""Samples of a drive log, and the arrays made of them, against the drawing's formula."""

import cv2
import numpy as np
import pytest
from synthetic import CAMERA_HEIGHT, CAMERA_X, FOCAL, HEIGHT, SPEED, WIDTH, path

from phipd_sim2real.waymo import Calibration, PlannerSample, project
from planner_eval.config import PlannerSettings
from planner_eval.samples import SampleFailure, count_frames, samples_from_log
from planner_eval.tensors import as_arrays, seen_projection


def test_every_frame_with_a_picture_is_a_sample(day_log):
    samples = list(samples_from_log(day_log))
    assert len(samples) == count_frames(day_log) == 6 * 28
    assert all(isinstance(sample, PlannerSample) for sample in samples)
    assert [sample.key for sample in samples] == sorted(sample.key for sample in samples)
    assert samples[0].key.log == "day"
    assert samples[0].images[1].shape == (HEIGHT, WIDTH, 3)
    assert samples[0].intent == 1


def test_the_future_is_the_road_ahead(day_log):
    sample = next(iter(samples_from_log(day_log)))
    road, index = path(0), round(4.0 * SPEED / 0.25)
    cos, sin = np.cos(road[index, 2]), np.sin(road[index, 2])
    ahead = (road[index + 10 : index + 201 : 10, :2] - road[index, :2]) @ np.array([[cos, -sin], [sin, cos]])
    np.testing.assert_allclose(sample.future, ahead, atol=0.02)  # chords of a 10 Hz path
    np.testing.assert_allclose(sample.past[-1, :3], [0, 0, SPEED], atol=0.02)


def test_only_takes_the_wanted_keys(day_log):
    wanted = {sample.key for sample in list(samples_from_log(day_log))[5:200:40]}
    assert {sample.key for sample in samples_from_log(day_log, only=wanted)} == wanted


def test_a_missing_camera_is_a_failure_with_its_reason(day_log):
    failures = list(samples_from_log(day_log, cameras=(1, 2)))
    assert all(isinstance(item, SampleFailure) and item.reason == "missing_camera" for item in failures)


def camera(height: int = HEIGHT) -> Calibration:
    extrinsic = np.eye(4)
    extrinsic[:3, :3] = cv2.Rodrigues(np.array([0.02, 0.1, 0.2]))[0]
    extrinsic[:3, 3] = CAMERA_X, 0.2, CAMERA_HEIGHT
    intrinsic = np.array([FOCAL, 1.1 * FOCAL, WIDTH / 2 + 3, HEIGHT / 2, 0, 0, 0, 0, 0])
    return Calibration(intrinsic, extrinsic, WIDTH, height)


def test_seen_projection_agrees_with_the_camera_model():
    points = np.random.default_rng(0).uniform((5, -3, -1), (40, 3, 3), (50, 3))
    pixels, valid = project(points, camera())
    homogeneous = np.c_[points, np.ones(50)] @ seen_projection(camera(), (0.25, 0.75)).astype(float).T
    shares = homogeneous[:, :2] / homogeneous[:, 2:]
    expected = np.stack([pixels[:, 0] / WIDTH, (pixels[:, 1] / HEIGHT - 0.25) / 0.5], axis=1)
    assert valid.any()
    np.testing.assert_allclose(shares[valid], expected[valid], atol=1e-4)


def test_mirroring_twice_is_nothing_and_once_swaps_sides(day_log):
    arrays = as_arrays(list(samples_from_log(day_log))[:3], PlannerSettings())
    chosen = np.array([True, False, True])
    once = arrays.mirrored(chosen)
    np.testing.assert_array_equal(once.images[0], arrays.images[0, ..., ::-1])
    np.testing.assert_array_equal(once.images[1], arrays.images[1])
    np.testing.assert_array_equal(once.future[0, :, 1], -arrays.future[0, :, 1])
    np.testing.assert_allclose(once.projection[0], arrays.projection[0], atol=1e-6)  # the camera looks straight ahead
    twice = once.mirrored(chosen)
    for name in ("images", "projection", "past", "intent", "future"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(arrays, name))


def test_mirroring_swaps_left_and_right_turns(day_log):
    arrays = as_arrays(list(samples_from_log(day_log))[:4], PlannerSettings())
    arrays.intent[:] = [0, 1, 2, 3]
    np.testing.assert_array_equal(arrays.mirrored(np.ones(4, bool)).intent, [0, 1, 3, 2])


def test_nothing_to_gather_is_an_error():
    with pytest.raises(ValueError, match="no samples"):
        as_arrays([], PlannerSettings())
