"""Which frames a report shows: chosen by rule from the errors at 5 s, at most one per segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo import SampleKey
from planner_eval.result import EvaluationResult

METRIC = "fde_5s"


@dataclass(frozen=True)
class Case:
    """One frame of the report.

    Attributes:
        key: which frame.
        index: its place in the evaluation.
        errors: arm -> error at 5 s in metres, mean over training seeds.
    """

    key: SampleKey
    index: int
    errors: dict[str, float]


@dataclass(frozen=True)
class CaseGroup:
    """Frames chosen by one rule."""

    title: str
    rule: str
    cases: tuple[Case, ...]


def choose_cases(result: EvaluationResult, treated: str, count: int = 3) -> tuple[CaseGroup, ...]:
    """Typical and extreme frames of two arms; no frame is in two groups.

    Args:
        result: the evaluation; frames count that have a value in both arms.
        treated: the arm that is set against the baseline.
        count: frames per group.
    """
    ours, theirs = _errors(result, treated), _errors(result, result.baseline)
    middle = np.abs(ours - np.nanmedian(ours))
    rules = (
        ("Typical", f"the error of {treated} at 5 s is nearest its median", middle),
        ("Where it helps most", f"{treated} gains most on {result.baseline}", ours - theirs),
        ("Where it hurts most", f"{treated} loses most to {result.baseline}", theirs - ours),
        ("Worst", f"the error of {treated} at 5 s is largest", -ours),
    )
    used: set[int] = set()
    groups = []
    for title, rule, cost in rules:
        chosen = list(_first_per_segment(result, cost, used, count))
        used |= set(chosen)
        groups.append(CaseGroup(title, rule, tuple(_case(result, index) for index in chosen)))
    return tuple(groups)


def _errors(result: EvaluationResult, arm: str) -> NDArray[np.float64]:
    """(N,) mean over training seeds; NaN where any of them has no value."""
    return result.arm(arm).values[METRIC].mean(axis=0)


def _first_per_segment(
    result: EvaluationResult, cost: NDArray[np.float64], used: set[int], count: int
) -> Iterator[int]:
    """Indices of the least costs, from different segments, NaN never."""
    segments: set[str] = set()
    for index in np.argsort(cost, kind="stable"):
        segment = result.truth.segments[index]
        if len(segments) == count or np.isnan(cost[index]):
            return
        if segment not in segments and int(index) not in used:
            segments.add(segment)
            yield int(index)


def _case(result: EvaluationResult, index: int) -> Case:
    errors = {arm.name: float(_errors(result, arm.name)[index]) for arm in result.arms}
    finite = {name: error for name, error in errors.items() if np.isfinite(error)}
    return Case(result.truth.keys[index], index, finite)
