"""Arms against the baseline: intervals and paired differences, over all frames and in every bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner_eval.bootstrap import Interval, SegmentBootstrap
from planner_eval.buckets import BucketScores, bucket_labels, bucket_names
from planner_eval.config import EvaluateSettings
from planner_eval.metrics import METRICS
from planner_eval.result import ArmResult, Truth


def compared(arms: Sequence[ArmResult], truth: Truth, settings: EvaluateSettings) -> tuple[ArmResult, ...]:
    """The arms with their intervals and their differences to the arm called `settings.baseline`."""
    scoring = _Scoring(
        SegmentBootstrap(settings.resamples, settings.seed, settings.confidence),
        _codes(truth.segments),
        _codes(truth.clusters),
        next(arm for arm in arms if arm.name == settings.baseline),
    )
    everywhere = np.ones(len(truth.keys), dtype=bool)
    result = [replace(arm, **vars(scoring.scores(arm, everywhere))) for arm in arms]
    buckets: list[dict[str, dict[str, BucketScores]]] = [{} for _ in arms]
    for axis, labels in bucket_labels(truth, settings.buckets).items():
        for name in bucket_names(labels, axis, settings.buckets):
            inside = np.array([label == name for label in labels])
            for arm, found in zip(arms, buckets, strict=True):
                found.setdefault(axis, {})[name] = _without_empty(scoring.scores(arm, inside))
    return tuple(replace(arm, buckets=found) for arm, found in zip(result, buckets, strict=True))


@dataclass(frozen=True, eq=False)
class _Scoring:
    """What all scores of an evaluation share; segments and clusters as numbers, in the order of their names."""

    bootstrap: SegmentBootstrap
    segments: NDArray[np.int64]
    clusters: NDArray[np.int64]
    baseline: ArmResult

    def scores(self, arm: ArmResult, inside: NDArray[np.bool_]) -> BucketScores:
        """Every metric of an arm on some of the frames."""
        scores, differences = {}, {}
        segments = self.segments[inside]
        for name, values in arm.values.items():
            clusters = self.clusters[inside] if METRICS[name].per_cluster else None
            scores[name] = self.bootstrap.mean(values[:, inside], segments, clusters)
            if arm is not self.baseline:
                baseline = self.baseline.values[name][:, inside]
                differences[name] = self.bootstrap.paired_difference(values[:, inside], baseline, segments, clusters)
        return BucketScores(scores, differences)


def _without_empty(found: BucketScores) -> BucketScores:
    """Without metrics that have no value in the bucket."""

    def filled(intervals: dict[str, Interval]) -> dict[str, Interval]:
        return {name: interval for name, interval in intervals.items() if interval.valid}

    return BucketScores(filled(found.scores), filled(found.differences))


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(names), return_inverse=True)[1]
