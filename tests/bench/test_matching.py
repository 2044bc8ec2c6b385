"""Matched realism and intervals, by cases whose answers are known."""

import numpy as np
import pytest

from phipd_sim2real.bench.matching import gain_percent, match
from phipd_sim2real.bench.realism import PatchSet, RealismScale
from phipd_sim2real.bench.resampling import clip_weights, estimate, weighted_mean


def test_the_weakest_strength_that_is_as_realistic_is_found():
    distance = np.array([[8.0, 8.0], [4.0, 6.0], [2.0, 7.0], [3.0, 1.0]])
    found = match(distance, np.array([3.0, 1.0]))
    assert found.reached.all()
    strengths = np.array([[0.0], [0.4], [0.6], [1.0]]).repeat(2, axis=1)
    np.testing.assert_allclose(found.of(strengths), [0.5, 1.0])
    np.testing.assert_allclose(found.of(distance), [3.0, 1.0])


def test_where_nothing_is_as_realistic_the_most_realistic_counts():
    found = match(np.array([[5.0], [3.0], [4.0]]), np.array([1.0]))
    assert not found.reached[0]
    assert found.of(np.array([[0.0], [0.5], [1.0]]))[0] == 0.5


def test_a_source_that_is_realistic_enough_needs_no_strength():
    found = match(np.array([[1.0], [0.5]]), np.array([2.0]))
    assert found.reached[0]
    assert found.of(np.array([[0.0], [1.0]]))[0] == 0.0


@pytest.mark.parametrize(("better", "gain"), [("lower", 75.0), ("higher", -75.0)])
def test_gain_is_relative_to_the_rival(better, gain):
    assert gain_percent(np.array([1.0]), np.array([4.0]), better)[0] == gain
    assert np.isnan(gain_percent(np.array([1.0]), np.array([0.0]), better)[0])


def test_whole_clips_are_drawn():
    weights = clip_weights(5, 400, seed=0)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 5).all()
    values, clip_of = np.array([1.0, 1.0, 1.0, 5.0, np.nan]), np.array([0, 0, 1, 2, 3])
    assert weighted_mean(values, clip_of, weights)[0] == 2.0
    found = estimate(weighted_mean(values, clip_of, weights))
    assert found.low == 1.0
    assert found.low < found.value < found.high == 5.0


def test_frames_without_a_value_are_never_zero():
    weights = clip_weights(2, 100, seed=0)
    means = weighted_mean(np.array([3.0, np.nan]), np.array([0, 1]), weights)
    assert set(means[np.isfinite(means)]) == {3.0}
    assert np.isnan(means).any()


def test_texture_distance_is_the_unbiased_estimator():
    rng = np.random.default_rng(0)
    target, result = rng.normal(size=(30, 4)).astype(np.float32), rng.normal(1, 1, (24, 4)).astype(np.float32)
    sets = [PatchSet(x, np.arange(len(x)) // 6) for x in (target, result)]

    def kernel(x, y):
        return (x.astype(np.float64) @ y.T / 4 + 1) ** 3

    def within(x):
        k = kernel(x, x)
        return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))

    expected = within(target) + within(result) - 2 * kernel(target, result).mean()
    found = RealismScale(sets[0]).kid(sets[1], np.ones((1, 4)), np.ones((1, 5)))
    assert found[0] == pytest.approx(expected, rel=1e-4)
