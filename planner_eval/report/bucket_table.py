"""Scores of every arm in every bucket as plain-text tables, for terminals and logs."""

from __future__ import annotations

from planner_eval.bootstrap import Interval
from planner_eval.config import EvaluateSettings
from planner_eval.report.headline import interval_text
from planner_eval.result import ArmResult, EvaluationResult

INSUFFICIENT = "insufficient"


def bucket_cell(interval: Interval | None, metric: str, min_segments: int, signed: bool = False) -> str:
    """A mean with its interval; "insufficient" where too few segments stand behind it, a dash where none does."""
    if interval is None or interval.mean is None:
        return "–"
    return INSUFFICIENT if interval.segments < min_segments else interval_text(interval, metric, signed)


def bucket_table(result: EvaluationResult, metric: str) -> str:
    """One block per axis, one row per bucket: N, segments, and the metric of each arm.

    Args:
        result: of an evaluation.
        metric: a name in `METRICS`.
    """
    least = EvaluateSettings.model_validate(result.settings).buckets.min_segments
    blocks = []
    for axis, buckets in result.arms[0].buckets.items():
        rows = [[axis, "N", "segments", *(arm.name for arm in result.arms)]]
        rows += [_row(result.arms, axis, bucket, metric, least) for bucket in buckets]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        blocks += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows] + [""]
    return "\n".join([f"{metric} by bucket; fewer than {least} segments: {INSUFFICIENT}", *blocks]).rstrip()


def _row(arms: tuple[ArmResult, ...], axis: str, bucket: str, metric: str, least: int) -> list[str]:
    found = [arm.buckets[axis][bucket].scores.get(metric) for arm in arms]
    known = next((interval for interval in found if interval is not None), None)
    counts = ["0", "0"] if known is None else [f"{known.valid}/{known.total}", str(known.segments)]
    return [bucket, *counts, *(bucket_cell(interval, metric, least) for interval in found)]
