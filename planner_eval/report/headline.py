"""What a report claims in words, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner_eval.bootstrap import Interval
from planner_eval.metrics import METRICS
from planner_eval.result import ArmResult, EvaluationResult

SEEDS_FOR_A_CLAIM = 3


@dataclass(frozen=True)
class Headline:
    """The first thing a reader sees.

    Attributes:
        before: success rate of the baseline arm, as text.
        after: success rate of the treated arm, as text.
        sentence: the claim with its interval.
        caveat: what limits it.
    """

    before: str
    after: str
    sentence: str
    caveat: str


def headline(result: EvaluationResult, treated: str) -> Headline:
    """Sets the treated arm's success rate against the baseline's."""
    before, after = result.arm(result.baseline), result.arm(treated)
    difference = after.differences["success_rate"]
    claim = (
        f"A planner trained on {treated} frames succeeds on {value(after, 'success_rate')} of the "
        f"{difference.valid} frames of {result.dataset}, one trained on {result.baseline} frames on "
        f"{value(before, 'success_rate')}: {verdict(difference, 'success_rate')}, paired difference "
        f"{interval_text(difference, 'success_rate', signed=True)} over {difference.segments} segments."
    )
    return Headline(value(before, "success_rate"), value(after, "success_rate"), claim, _caveat(after, before))


def verdict(difference: Interval, metric: str) -> str:
    """ "better" or "worse" only where the paired interval excludes zero."""
    if difference.mean is None or not difference.excludes_zero:
        return "no difference shown"
    return "better" if (difference.mean > 0) == (METRICS[metric].better == "higher") else "worse"


def value(arm: ArmResult, metric: str) -> str:
    """Mean of an arm with its unit; a dash where there is none."""
    return number(arm.scores[metric].mean, metric)


def number(mean: float | None, metric: str, signed: bool = False) -> str:
    """One value with its unit."""
    if mean is None:
        return "–"
    sign = "+" if signed else ""
    if METRICS[metric].unit == "share":
        return f"{100 * mean:{sign}.1f} {'points' if signed else '%'}"
    return f"{mean:{sign}.2f}{' m' if METRICS[metric].unit == 'm' else ''}"


def interval_text(interval: Interval, metric: str, signed: bool = False) -> str:
    """Mean and interval, such as "+12.0 points [+3.1, +20.8]"."""
    if interval.mean is None:
        return "–"
    return f"{number(interval.mean, metric, signed)} {range_text(interval, metric, signed)}"


def range_text(interval: Interval, metric: str, signed: bool = False) -> str:
    """Only the interval, such as "[3.1, 20.8]"; empty where there is none."""
    if interval.low is None or interval.high is None:
        return ""
    factor, digits = (100, 1) if METRICS[metric].unit == "share" else (1, 2)
    sign = "+" if signed else ""
    return f"[{factor * interval.low:{sign}.{digits}f}, {factor * interval.high:{sign}.{digits}f}]"


def seeds_text(arm: ArmResult) -> str:
    """Training seeds of an arm, and whether they are too few to speak for the recipe."""
    if not arm.seeds:
        return "not trained"
    listed = ", ".join(str(seed) for seed in arm.seeds)
    return f"single training seed ({listed})" if len(arm.seeds) == 1 else f"training seeds {listed}"


def few_seeds(count: int) -> str:
    """What a report says of fewer seeds than a claim needs."""
    return f"Training was repeated with {count} seed(s); {SEEDS_FOR_A_CLAIM} would show its spread."


def fewer_seeds(arms: Sequence[str], of_others: int) -> str:
    """What a report says of arms that were not trained as often as the others."""
    return (
        f"Trained with fewer than {SEEDS_FOR_A_CLAIM} seeds, where others have {of_others}, and compared with care: "
        f"{', '.join(arms)}."
    )


def fewer_frames(frames_of: Mapping[str, int]) -> str:
    """What a report says of gated arms, which see fewer frames in as many steps."""
    counts = ", ".join(f"{arm} ({count} frames)" for arm, count in frames_of.items())
    return f"What a gate leaves out was not replaced, and no arm without a gate had as few frames: {counts}."


def _caveat(after: ArmResult, before: ArmResult) -> str:
    seeds = min(len(after.seeds), len(before.seeds))
    if seeds < SEEDS_FOR_A_CLAIM:
        return (
            f"{'Single seed' if seeds == 1 else f'{seeds} seeds'}: the interval covers the choice of drives, "
            f"not the luck of training; a claim about the recipe needs {SEEDS_FOR_A_CLAIM} seeds or more."
        )
    return f"The interval covers the choice of drives and of {seeds} training seeds."
