"""The arms of an evaluation as a plain-text table, for terminals and logs."""

from __future__ import annotations

from collections.abc import Sequence

from planner_eval.metrics import METRICS
from planner_eval.report.headline import interval_text
from planner_eval.result import ArmResult, EvaluationResult

SHOWN = ("success_rate", "ade_3s", "ade_5s", "fde_5s", "rfs")


def text_table(result: EvaluationResult) -> str:
    """One row per arm: N, the main metrics with their intervals, the paired difference in success rate."""
    metrics = [name for name in SHOWN if name in result.metrics()]
    arrows = {"higher": "↑", "lower": "↓"}
    difference = f"success − {result.baseline}"
    head = ["arm", "N", *(f"{name} {arrows[METRICS[name].better]}" for name in metrics), difference]
    rows = [head, *(_row(arm, metrics) for arm in result.arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{result.dataset}, {len(set(result.truth.segments))} segments", *lines])


def _row(arm: ArmResult, metrics: Sequence[str]) -> list[str]:
    difference = arm.differences.get("success_rate")
    score = arm.scores["success_rate"]
    return [
        arm.name,
        f"{score.valid}/{score.total}",
        *(interval_text(arm.scores[name], name) for name in metrics),
        interval_text(difference, "success_rate", signed=True) if difference is not None else "–",
    ]
