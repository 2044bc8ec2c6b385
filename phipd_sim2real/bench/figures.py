"""Plots of the benchmarks, with the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, THEIRS, INK, FAINT = "#2D6CDF", "#8A94A3", "#1d2733", "#e1e6ec"


@dataclass(frozen=True)
class Curve:
    """A line through measured settings.

    Attributes:
        name: for the legend.
        ours: φ-PD rather than SDEdit.
        labels: of the points, such as cutoffs or strengths.
        x, y: values, and their intervals as (low, high) pairs.
    """

    name: str
    ours: bool
    labels: Sequence[str]
    x: Sequence[float]
    y: Sequence[float]
    x_interval: Sequence[tuple[float, float]]
    y_interval: Sequence[tuple[float, float]]


def curves_figure(
    curves: Sequence[Curve],
    source: tuple[float, float] | None,
    floor: float | None,
    labels: tuple[str, str],
    title: str,
    size_in: tuple[float, float] = (6.8, 4.5),
) -> Figure:
    """Draws curves with labelled points and their intervals.

    Args:
        curves: φ-PD's solid and coloured, SDEdit's grey.
        source: where the untouched source stands, or None.
        floor: y of two sets of the target look, or None.
        labels: of the axes.
        title: one line.
        size_in: width and height, inches.
    """
    figure = _figure(size_in)
    axis = figure.subplots()
    for curve, shade in zip(curves, _shades(curves), strict=True):
        _draw(axis, curve, shade)
    if source is not None:
        axis.plot(*source, "X", color=INK, markersize=8, zorder=4)
        axis.annotate("source, as rendered", source, (-8, 6), textcoords="offset points", ha="right", color=INK,
                      fontsize=8.5)  # fmt: skip
    if floor is not None:
        axis.axhline(floor, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
        axis.annotate("two sets of the target look", (0.01, floor), (0, 3), xycoords=("axes fraction", "data"),
                      textcoords="offset points", fontsize=8, color=INK)  # fmt: skip
    axis.set_xlabel(labels[0])
    axis.set_ylabel(labels[1])
    axis.set_title(title, loc="left", fontsize=10.5)
    axis.grid(color=FAINT, linewidth=0.7)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=9)
    return figure


def svg(figure: Figure) -> str:
    """A figure as an SVG document."""
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "phipd", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def png(figure: Figure, dots_per_inch: int = 160) -> bytes:
    """A figure as a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return stream.getvalue()


def _draw(axis: Axes, curve: Curve, shade: float) -> None:
    colour = OURS if curve.ours else THEIRS
    x, y = np.array(curve.x), np.array(curve.y)
    for points, intervals, draw in ((x, curve.x_interval, axis.hlines), (y, curve.y_interval, axis.vlines)):
        low, high = np.array(intervals).T
        draw(y if points is x else x, low, high, color=colour, linewidth=1, alpha=0.28 * shade)
    style = "o-" if curve.ours else "s--"
    axis.plot(x, y, style, color=colour, alpha=shade, linewidth=2, markersize=5.5, label=curve.name, zorder=3)
    for label, point in zip(curve.labels, zip(x, y, strict=True), strict=True):
        axis.annotate(label, point, (5, 5), textcoords="offset points", fontsize=8, color=colour, alpha=max(shade, 0.7))


def _shades(curves: Sequence[Curve]) -> list[float]:
    """Opacity of each curve: several of one kind fade from the first to the last."""
    seen: dict[bool, int] = {}
    shades = []
    for curve in curves:
        seen[curve.ours] = seen.get(curve.ours, 0) + 1
        shades.append(max(1.0 - 0.4 * (seen[curve.ours] - 1), 0.3))
    return shades


def _figure(size_in: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in, layout="constrained")
    figure.patch.set_facecolor("white")
    return figure
