"""The Rater Feedback Score against known answers."""

import numpy as np
import pytest

from planner_eval import rater_feedback_score
from planner_eval.rfs import inside_trust_region, trust_region_distance

STEPS = np.arange(1, 21)


def straight(speed: float, points: int = 20, first: int = 1) -> np.ndarray:
    x = 0.25 * speed * np.arange(first, first + points)
    return np.stack([x, np.zeros(points)], axis=1)


def shifted(trajectory: np.ndarray, x: float, y: float) -> np.ndarray:
    return trajectory + np.array([x, y])


def circle() -> np.ndarray:
    t = 0.25 * STEPS
    return 20 * np.stack([np.sin(0.3 * t), 1 - np.cos(0.3 * t)], axis=1)


@pytest.mark.parametrize(
    ("prediction", "raters", "scores", "speed", "expected"),
    [
        (straight(8), [straight(8)], [9], 8, 9),
        (shifted(straight(11), 0, 1.0), [straight(11)], [9], 11, 9),
        (shifted(straight(11), 0, 1.2), [straight(11)], [9], 11, 7.339308050),
        (shifted(straight(11), 0, 2.0), [straight(11)], [9], 11, 4),
        (shifted(straight(11), 4.8, 0), [straight(11)], [9], 11, 7.339308050),
        (shifted(straight(6.2), 0, 0.9), [straight(6.2)], [10], 6.2, 8.154786722),
        (shifted(straight(0), 0.6, 0), [straight(0)], [9], 0, 9),
        (shifted(straight(0), 0, 0.6), [straight(0)], [9], 0, 7.339308050),
        (straight(8), [straight(8), straight(4)], [2, 9], 8, 2),
        (straight(8), [straight(8), straight(4), straight(6)], [5, 9, 7], 8, 5),
        (straight(8), [straight(8, points=12)], [9], 8, 4.604584580),
        (straight(8), [straight(8, points=21, first=0)], [9], 8, 9),
        (shifted(circle(), 1.5, 0), [circle()], [8], 6, 4.185915215),
    ],
)
def test_known_answers(prediction, raters, scores, speed, expected):
    assert rater_feedback_score(prediction, raters, scores, speed) == pytest.approx(expected, abs=1e-8)


def test_equals_the_official_results(shared_data):
    with np.load(shared_data / "golden/rfs_cases.npz") as archive:
        cases = {name: archive[name] for name in archive.files}
    for i in range(len(cases["pred"])):
        count, speed = int(cases["n_raters"][i]), float(cases["init_speed"][i])
        raters = [cases["rater_traj"][i, r, : cases["rater_len"][i, r]] for r in range(count)]
        score = rater_feedback_score(cases["pred"][i], raters, list(cases["rater_score"][i, :count]), speed)
        assert score == pytest.approx(cases["rfs"][i], abs=1e-9)
        inside = any(inside_trust_region(cases["pred"][i], rater, speed) for rater in raters)
        assert inside == cases["inside_trust_region"][i]


def test_distance_is_one_on_the_edge_of_the_region():
    distance = trust_region_distance(shifted(straight(11), 0, 1.0), straight(11), 11.0)
    np.testing.assert_allclose(distance, [1.0, 1.0 / 1.8])


@pytest.mark.parametrize(
    ("prediction", "raters", "scores", "message"),
    [
        (np.zeros((12, 2)), [straight(8)], [9], r"shape \(12, 2\)"),
        (straight(8), [], [], "0 rater trajectories"),
        (straight(8), [straight(8)], [-1], "unlabelled"),
    ],
)
def test_refuses_what_has_no_score(prediction, raters, scores, message):
    with pytest.raises(ValueError, match=message):
        rater_feedback_score(prediction, raters, scores, 8.0)
