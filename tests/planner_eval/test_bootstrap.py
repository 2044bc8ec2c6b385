"""The segment bootstrap against cases with known answers."""

import numpy as np
import pytest

from planner_eval.bootstrap import SegmentBootstrap

BOOTSTRAP = SegmentBootstrap(resamples=4000, seed=3)


def test_equal_segments_have_an_interval_of_no_width():
    values = np.tile([1.0, 2.0, 3.0], 4)[None]
    interval = BOOTSTRAP.mean(values, [f"s{i}" for i in range(4) for _ in range(3)])
    assert (interval.mean, interval.low, interval.high) == (2.0, 2.0, 2.0)
    assert (interval.valid, interval.total, interval.segments) == (12, 12, 4)


def test_matches_the_theory_for_independent_segments():
    rng = np.random.default_rng(0)
    per_segment = rng.normal(size=400)
    values = np.repeat(per_segment, 5)[None]
    interval = BOOTSTRAP.mean(values, np.repeat(np.arange(400), 5).astype(str))
    half_width = 1.96 * per_segment.std() / np.sqrt(400)
    assert interval.high - interval.low == pytest.approx(2 * half_width, rel=0.06)


def test_frames_of_one_segment_add_no_evidence():
    values = np.random.default_rng(1).normal(size=30)
    names = np.arange(30).astype(str)
    once = BOOTSTRAP.mean(values[None], names)
    often = BOOTSTRAP.mean(np.repeat(values, 50)[None], np.repeat(names, 50))
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=1e-9)


def test_pairing_removes_what_both_arms_share():
    rng = np.random.default_rng(2)
    hard = rng.normal(scale=10, size=40)
    segments = np.arange(40).astype(str)
    interval = BOOTSTRAP.paired_difference((hard + 0.5)[None], hard[None], segments)
    assert (interval.mean, interval.low) == (pytest.approx(0.5), pytest.approx(0.5))
    assert interval.excludes_zero
    assert not BOOTSTRAP.mean(hard[None], segments).excludes_zero


def test_pairs_only_what_is_valid_in_both():
    arm = np.array([[1.0, np.nan, 3.0, 4.0]])
    baseline = np.array([[1.0, 2.0, np.nan, 2.0]])
    interval = BOOTSTRAP.paired_difference(arm, baseline, ["a", "b", "c", "d"])
    assert (interval.mean, interval.valid, interval.total, interval.segments) == (1.0, 2, 4, 2)


def test_training_seeds_widen_the_interval():
    rng = np.random.default_rng(4)
    frames = rng.normal(size=(1, 200))
    segments = np.arange(200).astype(str)
    alike = BOOTSTRAP.mean(np.repeat(frames, 3, axis=0), segments)
    apart = BOOTSTRAP.mean(frames + np.array([[-1.0], [0.0], [1.0]]), segments)
    assert apart.high - apart.low > 3 * (alike.high - alike.low)


def test_a_mean_over_clusters_weighs_them_alike_in_every_draw():
    values = np.concatenate([np.zeros(90), np.full(10, 8.0)])[None]
    clusters = ["frequent"] * 90 + ["rare"] * 10
    segments = np.arange(100).astype(str)
    assert BOOTSTRAP.mean(values, segments).mean == pytest.approx(0.8)
    by_cluster = BOOTSTRAP.mean(values, segments, clusters)
    assert (by_cluster.mean, by_cluster.low, by_cluster.high) == (4.0, 4.0, 4.0)  # no luck within a cluster
    lifted = values + np.where(np.array(clusters) == "rare", 1.0, 0.0)
    difference = BOOTSTRAP.paired_difference(lifted, values, segments, clusters)
    assert (difference.mean, difference.low, difference.high) == (0.5, 0.5, 0.5)


def test_one_cluster_is_the_mean_of_the_samples():
    values, segments = np.random.default_rng(6).normal(size=(2, 40)), np.repeat(np.arange(8), 5).astype(str)
    assert BOOTSTRAP.mean(values, segments, [""] * 40) == BOOTSTRAP.mean(values, segments)


def test_nothing_valid_has_no_mean():
    interval = BOOTSTRAP.mean(np.full((1, 3), np.nan), ["a", "b", "c"])
    assert interval.mean is None
    assert not interval.excludes_zero


def test_same_seed_same_interval():
    values, segments = np.random.default_rng(5).normal(size=(1, 50)), np.repeat(np.arange(10), 5).astype(str)
    assert BOOTSTRAP.mean(values, segments) == SegmentBootstrap(4000, seed=3).mean(values, segments)
    assert BOOTSTRAP.mean(values, segments) != SegmentBootstrap(4000, seed=4).mean(values, segments)
