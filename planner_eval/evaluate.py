"""Evaluation: every arm plans for the same frames, and every value keeps its validity.

Frames come as a stream from a drive log (`samples_from_log`) or from end-to-end records
(`phipd_sim2real.waymo.e2e_samples`); only plans are kept, never pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.waymo import PlannerSample, SampleKey
from planner_eval.collision import EgoSize
from planner_eval.comparison import compared
from planner_eval.config import EvaluateSettings
from planner_eval.metrics import METRICS
from planner_eval.plan_batch import PlanBatch
from planner_eval.plans import Planner
from planner_eval.result import ArmResult, Array, EvaluationResult, Truth
from planner_eval.rfs import WAYPOINTS
from planner_eval.samples import SampleFailure

NOT_FINITE = "plan_not_finite"
EDGE_REASONS = ("missing_past", "missing_future")
"""A frame near an end of its drive has no past or no future to score: counted, but no failure of the run."""


@dataclass(frozen=True)
class Arm:
    """What is compared: one training condition, or a baseline.

    Attributes:
        name: short name; differences are taken from the arm called `EvaluateSettings.baseline`.
        description: one line for tables.
        planners: one planner per training seed.
        seeds: their training seeds; empty for a baseline.
    """

    name: str
    description: str
    planners: tuple[Planner, ...]
    seeds: tuple[int, ...] = ()


def evaluate(
    arms: Sequence[Arm],
    samples: Iterable[PlannerSample | SampleFailure],
    settings: EvaluateSettings,
    dataset: str,
    total: int | None = None,
    progress: ProgressCallback | None = None,
) -> EvaluationResult:
    """Plans for every frame with every planner and scores the plans.

    Args:
        arms: at least the baseline arm.
        samples: frames in any order; a failure stays a failure in every arm.
        settings: bootstrap, batch size and the share of failures that is borne.
        dataset: what the frames are, for tables.
        total: number of frames where it is known, for progress.
        progress: called as progress(label, done, total).

    Raises:
        UsageError: no arm has the baseline's name, or a name appears twice.
        StageError: there is no frame, or too many of them failed.
    """
    names = [arm.name for arm in arms]
    if settings.baseline not in names or len(set(names)) < len(names):
        raise UsageError(
            f"The arms are {names}; each needs a name of its own and one must be {settings.baseline!r}, "
            "the baseline. Set evaluate.baseline to one of them."
        )
    frames = _Frames(tuple(sorted({camera for arm in arms for planner in arm.planners for camera in planner.cameras})))
    plans: dict[str, list[list[_Plan]]] = {arm.name: [[] for _ in arm.planners] for arm in arms}
    for batch in _batches(samples, settings.batch_size):
        usable = frames.add(batch)
        for arm in arms:
            for kept, planner in zip(plans[arm.name], arm.planners, strict=True):
                kept.extend(_planned(planner, usable))
        if progress is not None:
            progress(f"evaluate on {dataset}", len(frames.keys), total or 0)
    truth = frames.truth()
    _require_few_failures(truth, settings)
    scored = [_scored(arm, plans[arm.name], truth, frames, settings) for arm in arms]
    described = settings.model_dump(mode="json")
    return EvaluationResult(dataset, settings.baseline, described, truth, compared(scored, truth, settings))


_Plan = tuple[Array, Array]
"""(K, 20, 2) trajectories and (K,) probabilities of one sample."""


@dataclass
class _Frames:
    """Truth of the frames seen so far."""

    cameras: tuple[int, ...]
    keys: list[SampleKey] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    samples: list[PlannerSample | None] = field(default_factory=list)

    def add(self, batch: Sequence[PlannerSample | SampleFailure]) -> list[PlannerSample]:
        """Takes note of a batch and returns those that can be planned for."""
        usable = []
        for item in batch:
            failure = item.reason if isinstance(item, SampleFailure) else self._lacks(item)
            self.keys.append(item.key)
            self.failures.append(failure)
            self.samples.append(None)
            if not failure and isinstance(item, PlannerSample):
                self.samples[-1] = replace(item, images={}, calibrations={})  # lets the pictures go
                usable.append(item)
        return usable

    def truth(self) -> Truth:
        count = len(self.keys)
        past, future = np.full((count, 16, 6), np.nan), np.full((count, WAYPOINTS, 2), np.nan)
        intent, valid = np.zeros(count, dtype=np.int64), np.zeros((count, WAYPOINTS), dtype=bool)
        for index, sample in enumerate(self.samples):
            if sample is not None:
                past[index], future[index] = sample.past, sample.future
                intent[index], valid[index] = sample.intent, sample.future_valid
        clusters = tuple(sample.cluster if sample is not None else "" for sample in self.samples)
        times_of_day = tuple(sample.time_of_day if sample is not None else "" for sample in self.samples)
        return Truth(tuple(self.keys), tuple(self.failures), past, intent, future, valid, clusters, times_of_day)

    def _lacks(self, sample: PlannerSample) -> str:
        return "" if set(self.cameras) <= set(sample.images) else "missing_camera"


def _batches(items: Iterable, size: int) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _planned(planner: Planner, samples: list[PlannerSample]) -> Iterator[_Plan]:
    if samples:
        plans = planner.plan(samples)
        yield from zip(plans.trajectories, plans.probabilities, strict=True)


def _require_few_failures(truth: Truth, settings: EvaluateSettings) -> None:
    reasons = Counter(reason for reason in truth.failures if reason and reason not in EDGE_REASONS)
    allowed = settings.max_failed_share * len(truth.keys)
    if not truth.future_valid.any() or reasons.total() > allowed:
        raise StageError(
            f"Of {len(truth.keys)} frames {reasons.total()} failed ({dict(reasons)}) and "
            f"{int(truth.future_valid.any(axis=1).sum())} have a future; at most {allowed:.0f} may fail "
            "(evaluate.max_failed_share) and some must have a future."
        )


def _scored(arm: Arm, plans: list[list[_Plan]], truth: Truth, frames: _Frames, settings: EvaluateSettings) -> ArmResult:
    batches = [_plan_batch(kept, truth, frames, settings.ego) for kept in plans]
    scores = [{name: metric(batch) for name, metric in METRICS.items()} for batch in batches]
    driven = np.stack([batch.driven for batch in batches])
    lost = max(batch.failures.count(NOT_FINITE) for batch in batches)
    if lost > settings.max_failed_share * len(truth.keys):
        raise StageError(
            f"{arm.name} gave plans that are not finite for {lost} of {len(truth.keys)} frames; at most "
            f"{settings.max_failed_share:.0%} may be lost (evaluate.max_failed_share). Train at a lower rate."
        )
    reasons = {name: _most([Counter(filter(None, score[name].reasons)) for score in scores]) for name in METRICS}
    values = {name: np.stack([score[name].values for score in scores]) for name in METRICS}
    return ArmResult(arm.name, arm.description, arm.seeds, driven, values, reasons)


def _most(counts: Sequence[Counter[str]]) -> dict[str, int]:
    """Reason -> the most that any training seed has of it."""
    return {reason: max(count[reason] for count in counts) for reason in sorted(set().union(*counts))}


def _plan_batch(kept: list[_Plan], truth: Truth, frames: _Frames, ego: EgoSize) -> PlanBatch:
    """One planner's plans for all frames; frames without a plan, or with one that is not finite, say why."""
    count, proposals = len(truth.keys), len(kept[0][1]) if kept else 1
    trajectories = np.full((count, proposals, WAYPOINTS, 2), np.nan)
    probabilities = np.full((count, proposals), 1 / proposals)
    planned = [index for index, sample in enumerate(frames.samples) if sample is not None]
    for index, (trajectory, probability) in zip(planned, kept, strict=True):
        trajectories[index], probabilities[index] = trajectory, probability
    finite = np.isfinite(trajectories).all(axis=(1, 2, 3))
    failures = tuple(
        failure or ("" if good else NOT_FINITE) for failure, good in zip(truth.failures, finite, strict=True)
    )
    raters = [(s.rater_trajectories, s.rater_scores) if s is not None else ((), ()) for s in frames.samples]
    return PlanBatch(
        trajectories, probabilities, failures, truth.past, truth.future, truth.future_valid,
        tuple(trajectories for trajectories, _ in raters), tuple(scores for _, scores in raters),
        tuple(sample.road_users if sample is not None else None for sample in frames.samples), ego,
    )  # fmt: skip
