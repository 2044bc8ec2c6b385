"""The report's plots as inline SVG, with the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from planner_eval.metrics import METRICS
from planner_eval.plans import TIMES_S
from planner_eval.result import ArmResult, EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colours = Mapping[str, str]
INK, FAINT = "#1d2733", "#d5dbe3"
TOLERANCE_M = 1.8


def forest_plot(result: EvaluationResult, metrics: Sequence[str], colours: Colours) -> str:
    """Paired differences to the baseline arm with their intervals, one panel per metric."""
    arms = [arm for arm in result.arms if arm.name != result.baseline]
    figure = new_figure(width=3.6 * len(metrics), height=1.1 + 0.42 * len(arms))
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        limit = _limit(arms, metric)
        for row, arm in enumerate(arms):
            _whisker(axis, row, arm, metric, limit, colours[arm.name])
        axis.set_xlim(-limit, limit)
        axis.axvline(0, color=INK, linewidth=1)
        axis.set_yticks(range(len(arms)), [arm.name for arm in arms])
        axis.set_ylim(len(arms) - 0.5, -0.5)
        axis.set_title(
            f"{metric} ({'points' if _factor(metric) > 1 else METRICS[metric].unit})", fontsize=10, loc="left"
        )
        better = "right" if METRICS[metric].better == "higher" else "left"
        axis.set_xlabel(f"difference to {result.baseline} · {better} is better", fontsize=8)
        axis.grid(axis="x", color=FAINT, linewidth=0.6)
        axis.tick_params(axis="y", length=0)
    return svg_text(figure)


def error_over_time_plot(result: EvaluationResult, arms: Sequence[str], colours: Colours) -> str:
    """Mean distance to the logged future at each waypoint, metres, over frames with a full future."""
    figure = new_figure(width=4.6, height=3.0)
    axis = figure.subplots()
    complete = result.truth.future_valid.all(axis=1)
    errors = {
        name: np.nanmean(
            np.linalg.norm(result.arm(name).plans - result.truth.future, axis=-1)[:, complete], axis=(0, 1)
        )
        for name in arms
    }
    for name, error in errors.items():
        axis.plot(TIMES_S, error, color=colours[name], label=name, linewidth=2)
    trained = [error[-1] for name, error in errors.items() if result.arm(name).seeds]
    axis.set_ylim(0, 1.25 * max(trained, default=max(error[-1] for error in errors.values())))
    axis.set_xlabel("seconds ahead")
    axis.set_ylabel("mean distance to the log (m)")
    _finish(axis)
    return svg_text(figure)


def distribution_plot(result: EvaluationResult, arms: Sequence[str], colours: Colours) -> str:
    """Share of frames whose error at 5 s is below x metres."""
    figure = new_figure(width=4.6, height=3.0)
    axis = figure.subplots()
    for name in arms:
        errors = result.arm(name).values["fde_5s"]
        errors = np.sort(errors[np.isfinite(errors)])
        share = 100 * np.arange(1, len(errors) + 1) / max(1, len(errors))
        axis.step(errors, share, where="post", color=colours[name], label=name, linewidth=2)
    axis.axvline(TOLERANCE_M, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axis.text(TOLERANCE_M * 1.05, 3, "1.8 m", fontsize=8, color=INK)
    axis.set_xscale("log")
    axis.set_xlim(0.05, 50)
    axis.set_xticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    axis.set_ylim(0, 100)
    axis.set_xlabel("error at 5 s (m)")
    axis.set_ylabel("frames below (%)")
    _finish(axis)
    return svg_text(figure)


def segment_plot(result: EvaluationResult, treated: str, colours: Colours) -> str:
    """Success of two arms in each segment: whether the mean rests on all drives or on a few."""
    segments = np.array(result.truth.segments)
    names = sorted(set(segments))
    figure = new_figure(width=9.4, height=2.9)
    axis = figure.subplots()
    shares = {}
    for name in (result.baseline, treated):
        values = result.arm(name).values["success_rate"].mean(axis=0)
        shares[name] = [100 * _mean(values[segments == segment]) for segment in names]
    order = np.argsort(np.nan_to_num(shares[treated]), kind="stable")
    low, high = (np.array(shares[name])[order] for name in (result.baseline, treated))
    axis.vlines(range(len(names)), low, high, color=FAINT, linewidth=3, zorder=1)
    axis.scatter(range(len(names)), low, color=colours[result.baseline], label=result.baseline, s=28, zorder=2)
    axis.scatter(range(len(names)), high, color=colours[treated], label=treated, s=28, zorder=3)
    axis.set_xticks([])
    axis.set_ylim(-4, 104)
    axis.set_xlabel(f"{len(names)} segments, by success of {treated}")
    axis.set_ylabel("success (%)")
    _finish(axis)
    return svg_text(figure)


def _whisker(axis: Axes, row: int, arm: ArmResult, metric: str, limit: float, colour: str) -> None:
    """Draws one interval; beyond the limit an arrow stands at the edge with the number."""
    difference = arm.differences[metric]
    if difference.mean is None or difference.low is None or difference.high is None:
        return
    factor = _factor(metric)
    low, mean, high = (factor * value for value in (difference.low, difference.mean, difference.high))
    outside = abs(mean) > limit
    place = float(np.clip(mean, -0.97 * limit, 0.97 * limit))
    axis.plot(np.clip([low, high], -limit, limit), [row, row], color=colour, linewidth=2.4, solid_capstyle="butt")
    axis.plot([place], [row], (">" if mean > 0 else "<") if outside else "o", color=colour, markersize=6)
    anchor = "center" if not outside else "right" if mean > 0 else "left"
    axis.annotate(f"{mean:+.1f}" if factor > 1 else f"{mean:+.2f}", (place, row), (0, 6), fontsize=8,
                  textcoords="offset points", ha=anchor)  # fmt: skip


def _limit(arms: Sequence[ArmResult], metric: str) -> float:
    """Half width of a panel: what the trained arms need, since the floors may lie far off."""
    shown = [arm for arm in arms if arm.seeds] or arms
    ends = [end for arm in shown for end in (arm.differences[metric].low, arm.differences[metric].high) if end]
    return 1.35 * _factor(metric) * max((abs(end) for end in ends), default=1.0)


def _factor(metric: str) -> float:
    return 100.0 if METRICS[metric].unit == "share" else 1.0


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _finish(axis: Axes) -> None:
    axis.grid(color=FAINT, linewidth=0.6)
    axis.legend(frameon=False, fontsize=8)
    axis.set_axisbelow(True)


def svg_text(figure: Figure) -> str:
    """Inline SVG of a finished figure."""
    import matplotlib

    style = {"svg.hashsalt": "planner report", "svg.fonttype": "path"}
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(FAINT)
    buffer = io.StringIO()
    with matplotlib.rc_context(style):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
