"""Success in parts of the frames: by speed, intent, curvature, time of day and cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from planner_eval.bootstrap import Interval
from planner_eval.config import EvaluateSettings
from planner_eval.report.plots import FAINT, new_figure, svg_text
from planner_eval.result import ArmResult, EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRIC = "success_rate"
SPREAD = 0.14
"""Distance of two arms in a bucket, in buckets."""


def bucket_plot(result: EvaluationResult, arms: Sequence[str], colours: Mapping[str, str]) -> str | None:
    """One panel per axis that parts the frames: success of some arms with intervals, hollow where segments are few.

    Args:
        result: of an evaluation.
        arms: names.
        colours: of the arms.

    Returns:
        SVG; None where no axis parts the frames.
    """
    shown = [result.arm(name) for name in arms]
    axes_of = {axis: list(buckets) for axis, buckets in shown[0].buckets.items() if len(buckets) > 1}
    if not axes_of:
        return None
    least = EvaluateSettings.model_validate(result.settings).buckets.min_segments
    widths = [max(2, len(buckets)) for buckets in axes_of.values()]
    figure = new_figure(width=1.2 + 1.25 * sum(widths), height=3.1)
    panels = figure.subplots(1, len(axes_of), sharey=True, squeeze=False, width_ratios=widths)[0]
    for panel, (axis, buckets) in zip(panels, axes_of.items(), strict=True):
        for number, arm in enumerate(shown):
            place = SPREAD * (number - (len(shown) - 1) / 2)
            _draw(panel, arm, axis, buckets, place, colours[arm.name], least)
        counts = [_segments(shown, axis, bucket) for bucket in buckets]
        labels = [f"{bucket}\n{count} segments" for bucket, count in zip(buckets, counts, strict=True)]
        panel.set_xticks(range(len(buckets)), labels, fontsize=7)
        panel.set_title(axis.replace("_", " "), fontsize=10, loc="left")
        panel.set_ylim(0, 100)
        panel.grid(axis="y", color=FAINT, linewidth=0.6)
    panels[0].set_ylabel("success (%)")
    panels[0].legend(frameon=False, fontsize=8)
    return svg_text(figure)


def _draw(
    panel: Axes, arm: ArmResult, axis: str, buckets: Sequence[str], place: float, colour: str, least: int
) -> None:
    for index, bucket in enumerate(buckets):
        score: Interval | None = arm.buckets[axis][bucket].scores.get(METRIC)
        if score is None or score.mean is None or score.low is None or score.high is None:
            continue
        ends = 100 * np.array([score.low, score.high])
        panel.plot([index + place] * 2, ends, color=colour, linewidth=1.6)
        fill = colour if score.segments >= least else "white"
        label = arm.name if index == 0 else None
        panel.plot(
            [index + place], [100 * score.mean], "o", color=colour, markerfacecolor=fill, markersize=5, label=label
        )


def _segments(arms: Sequence[ArmResult], axis: str, bucket: str) -> int:
    scores = [arm.buckets[axis][bucket].scores.get(METRIC) for arm in arms]
    return max((score.segments for score in scores if score is not None), default=0)
