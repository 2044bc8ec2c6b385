"""What a study says beyond an evaluation: choices made on validation drives, and where the treated arm stands.

Every comparison is paired: the same frames, the same draws of segments, training seeds drawn as an outer level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from phipd_sim2real.errors import UsageError
from planner_eval.bootstrap import Interval, SegmentBootstrap, read_intervals
from planner_eval.result import Array, EvaluationResult

COMPARED = ("success_rate", "ade_5s", "fde_5s")
"""Metrics in which a study compares."""


@dataclass(frozen=True)
class Choice:
    """One of several arms, chosen on the validation drives alone.

    Attributes:
        family: what was varied, such as "phi-pd".
        arm: the arm chosen: highest success rate, of equals the lowest ADE at 5 s.
        scores: arm -> metric -> its score on the validation drives.
    """

    family: str
    arm: str
    scores: dict[str, dict[str, Interval]]

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        scores = {
            arm: {name: asdict(interval) for name, interval in metrics.items()} for arm, metrics in self.scores.items()
        }
        return {"family": self.family, "arm": self.arm, "scores": scores}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Choice:
        """Reads what `as_json` gave."""
        scores = {arm: read_intervals(metrics) for arm, metrics in values["scores"].items()}
        return cls(values["family"], values["arm"], scores)


def choose(validation: EvaluationResult, family: str, arms: Sequence[str]) -> Choice:
    """Chooses among arms by their success rate on the validation drives.

    Args:
        validation: all of the arms on the validation drives.
        family: what was varied.
        arms: the candidates.

    Raises:
        UsageError: an arm was not evaluated, or none has a value.
    """
    scores = {arm: {name: validation.arm(arm).scores[name] for name in COMPARED} for arm in arms}
    rated = {arm: metrics for arm, metrics in scores.items() if metrics["success_rate"].mean is not None}
    if not rated:
        raise UsageError(f"No arm of {family} ({', '.join(arms)}) has a success rate on {validation.dataset}.")
    best = min(rated, key=lambda arm: (-rated[arm]["success_rate"].mean, rated[arm]["ade_5s"].mean))
    return Choice(family, best, scores)


@dataclass(frozen=True)
class Standing:
    """Where the treated arm stands between baseline, rivals and ceiling.

    Attributes:
        treated: the arm.
        baseline: the arm without treatment.
        ceiling: the arm trained on the target domain.
        relative: metric -> (treated − baseline) / baseline.
        way: metric -> (treated − baseline) / (ceiling − baseline): 1 is all of the way.
        to_ceiling: metric -> ceiling − treated.
        rivals: arm -> metric -> treated − rival.
    """

    treated: str
    baseline: str
    ceiling: str
    relative: dict[str, Interval]
    way: dict[str, Interval]
    to_ceiling: dict[str, Interval]
    rivals: dict[str, dict[str, Interval]] = field(default_factory=dict)


def standing(result: EvaluationResult, treated: str, ceiling: str, rivals: Sequence[str]) -> Standing:
    """Compares the treated arm on the test drives.

    Args:
        result: all arms on the test drives.
        treated: arm of the headline.
        ceiling: arm trained on the target domain.
        rivals: other arms to set it against.
    """
    settings, segments = result.settings, result.truth.segments
    bootstrap = SegmentBootstrap(settings["resamples"], settings["seed"], settings["confidence"])

    def combined(combine: Callable[..., Array], metric: str, *arms: str) -> Interval:
        return bootstrap.combined([result.arm(arm).values[metric] for arm in arms], combine, segments)

    def everywhere(combine: Callable[..., Array], *arms: str) -> dict[str, Interval]:
        return {metric: combined(combine, metric, *arms) for metric in COMPARED}

    base = result.baseline
    return Standing(
        treated=treated,
        baseline=base,
        ceiling=ceiling,
        relative=everywhere(lambda after, before: _ratio(after - before, before), treated, base),
        way=everywhere(lambda after, before, top: _ratio(after - before, top - before), treated, base, ceiling),
        to_ceiling=everywhere(np.subtract, ceiling, treated),
        rivals={rival: everywhere(np.subtract, treated, rival) for rival in rivals},
    )


def _ratio(above: Array, below: Array) -> Array:
    """NaN where the denominator is zero, or has another sign than in most draws: it could be zero then."""
    fits = (below != 0) & (np.sign(below) == np.sign(np.median(below)))
    return np.divide(above, below, out=np.full_like(below, np.nan), where=fits)
