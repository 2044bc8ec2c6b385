"""What a knob does: success on validation and test drives, look and structure, over the arms of each choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from planner_eval.bootstrap import Interval
from planner_eval.report.plots import FAINT, INK, new_figure, svg_text
from planner_eval.result import EvaluationResult
from planner_eval.study import Choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measures = Mapping[str, Mapping[str, Mapping[str, Any]]]
VALIDATION_COLOUR = "#7A8594"


def sweep_plot(
    choices: Sequence[Choice], result: EvaluationResult, measures: Measures, colours: Mapping[str, str]
) -> str:
    """One column per choice: success above, distance to the target's look and label safety below.

    Args:
        choices: with the validation scores of their arms.
        result: all arms on the test drives.
        measures: arm -> measure -> value, of the training pictures.
        colours: of the arms.
    """
    figure = new_figure(width=4.6 * len(choices), height=5.6)
    axes = figure.subplots(3, len(choices), sharex="col", sharey="row", squeeze=False, height_ratios=(2, 1, 1))
    for column, choice in enumerate(choices):
        arms = list(choice.scores)
        tested = [result.arm(arm).scores["success_rate"] for arm in arms]
        _success(axes[0, column], [choice.scores[arm]["success_rate"] for arm in arms], "validation", VALIDATION_COLOUR)
        _success(axes[0, column], tested, "test", colours[choice.arm])
        _mark(axes[0, column], arms.index(choice.arm))
        axes[0, column].set_title(choice.family, loc="left", fontsize=10)
        _measure(axes[1, column], [measures.get(arm, {}).get("texture_kid") for arm in arms])
        _measure(axes[2, column], [measures.get(arm, {}).get("label_safety") for arm in arms])
        axes[2, column].set_xticks(range(len(arms)), arms, rotation=30, ha="right", fontsize=8)
        axes[2, column].set_ylim(0, 1)
    for axis, label in zip(axes[:, 0], ("success (%)", "texture KID ↓", "label safety ↑"), strict=True):
        axis.set_ylabel(label)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return svg_text(figure)


def _success(axis: Axes, scores: Sequence[Interval], label: str, colour: str) -> None:
    mean, low, high = (
        np.array([100 * value if value is not None else np.nan for value in values], dtype=float)
        for values in zip(*((score.mean, score.low, score.high) for score in scores), strict=True)
    )
    lengths = np.maximum((mean - low, high - mean), 0)  # rounding may put an end beyond the mean
    axis.errorbar(range(len(mean)), mean, lengths, color=colour, label=label, marker="o", capsize=2, linewidth=1.6)
    axis.grid(axis="y", color=FAINT, linewidth=0.6)


def _mark(axis: Axes, index: int) -> None:
    axis.axvline(index, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axis.text(index, 0.99, " chosen", transform=axis.get_xaxis_transform(), fontsize=8, color=INK, va="top")


def _measure(axis: Axes, found: Sequence[Mapping[str, Any] | None]) -> None:
    values = [np.nan if item is None or item["value"] is None else item["value"] for item in found]
    axis.plot(range(len(values)), values, color=INK, marker="o", markersize=4, linewidth=1.4)
    axis.grid(axis="y", color=FAINT, linewidth=0.6)
