"""Parts of the frames that are scored on their own: by speed, intent, curvature, time of day and scenario cluster.

Which there are is fixed by the settings before anything is scored, so that no part is chosen for its score.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo.sample import INTENTS, TIMES_OF_DAY
from phipd_sim2real.waymo.splits import SCENARIO_CLUSTERS
from planner_eval.bootstrap import Interval
from planner_eval.config import BucketSettings

if TYPE_CHECKING:
    from planner_eval.result import Truth

Array = NDArray[np.float64]
Bucket = TypeVar("Bucket")

STANDING_PATH_M = 5.0
"""A shorter path has no curvature: its bends are noise."""


@dataclass(frozen=True)
class BucketScores:
    """One arm in one bucket.

    Attributes:
        scores: metric -> mean with its interval.
        differences: metric -> paired difference to the baseline arm; empty for that arm itself.
    """

    scores: dict[str, Interval]
    differences: dict[str, Interval]


def bucket_labels(truth: Truth, settings: BucketSettings) -> dict[str, tuple[str, ...]]:
    """Axis -> (N,) bucket of each frame; empty where it is in none."""
    intents = zip(truth.failures, truth.intent, strict=True)
    labels = {
        "speed": _between(truth.initial_speed, settings.speed_edges_m_s, "m/s"),
        "intent": tuple("" if failure else INTENTS[intent] for failure, intent in intents),
        "curvature": _between(path_curvature(truth.future), settings.curvature_edges_per_m, "1/m"),
        "time_of_day": truth.times_of_day,
        "cluster": truth.clusters,
    }
    return {axis: labels[axis] for axis in settings.axes}


def bucket_names(labels: Iterable[str], axis: str, settings: BucketSettings) -> tuple[str, ...]:
    """Buckets of an axis that have frames: rising for numbers, else as Waymo lists them, what it does not list last."""
    listed = {
        "speed": _interval_names(settings.speed_edges_m_s, "m/s"),
        "intent": INTENTS,
        "curvature": _interval_names(settings.curvature_edges_per_m, "1/m"),
        "time_of_day": TIMES_OF_DAY,
        "cluster": SCENARIO_CLUSTERS,
    }
    present = set(labels) - {""}
    known = tuple(name for name in listed[axis] if name in present)
    return known + tuple(sorted(present.difference(known)))


def in_order(buckets: Mapping[str, Mapping[str, Bucket]], settings: BucketSettings) -> dict[str, dict[str, Bucket]]:
    """Axis -> bucket -> anything, in the order of the settings' axes and of `bucket_names`."""
    return {
        axis: {name: buckets[axis][name] for name in bucket_names(buckets[axis], axis, settings)}
        for axis in settings.axes
        if axis in buckets
    }


def path_curvature(paths: Array) -> Array:
    """(N,) mean curvature of (N, 20, 2) paths from the origin, along x at first: the turning summed up, by length, 1/m.

    NaN where the path has gaps or is shorter than 5 m.
    """
    return np.array([_curvature(path) for path in paths])


def _curvature(path: Array) -> float:
    steps = np.diff(path, axis=0, prepend=np.zeros((1, 2)))
    length = np.linalg.norm(steps, axis=1)
    if not length.sum() >= STANDING_PATH_M:
        return np.nan
    moving = steps[length >= STANDING_PATH_M / len(path)]
    heading = np.unwrap(np.arctan2(moving[:, 1], moving[:, 0]))
    return float(np.abs(np.diff(heading, prepend=0.0)).sum() / length.sum())


def _between(values: Array, edges: Sequence[float], unit: str) -> tuple[str, ...]:
    names = _interval_names(edges, unit)
    return tuple("" if np.isnan(value) else names[int(np.searchsorted(edges, value, side="right"))] for value in values)


def _interval_names(edges: Sequence[float], unit: str) -> tuple[str, ...]:
    """`below 0.5 m/s`, `0.5 to 5 m/s`, `from 5 m/s`."""
    inner = (f"{low:g} to {high:g} {unit}" for low, high in itertools.pairwise(edges))
    return (f"below {edges[0]:g} {unit}", *inner, f"from {edges[-1]:g} {unit}")
