"""One pass over the frames of a set: every measure of every frame, one frame in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.colour import LabStatistics, colour_change
from phipd_sim2real.quality.frames import FrameSet, InspectedFrame
from phipd_sim2real.quality.measurement import Direction, Measurement, Summary, summarise
from phipd_sim2real.quality.overlays import class_pixels
from phipd_sim2real.quality.structure import blur_ssim, canny_f1, lane_edge_recall, phase_coherence

COARSE, FINE = 1 / 48, 1 / 8  # cycles per pixel: what is wider than 24 px, and wider than 4 px
SIGN: dict[Direction, float] = {"higher": 1.0, "lower": -1.0, "neither": float("nan")}


@dataclass(frozen=True)
class FrameMeasure:
    """A measure of one frame.

    Attributes:
        name: as in its measurements.
        unit: of the value.
        better: which direction is better.
        definition: one sentence for the page.
        needs_labels: whether it exists only where there are semantic labels.
        measure: (before, after, semantics or None) -> value.
    """

    name: str
    unit: str
    better: Direction
    definition: str
    needs_labels: bool
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray | None], Measurement]


FRAME_MEASURES = (
    FrameMeasure(
        f"phase_coherence@{COARSE:.3g}",
        "1",
        "higher",
        "Mean cosine of the phase difference, weighted by source magnitude, below 1/48 cycles per px: layout.",
        False,
        lambda before, after, _: phase_coherence(before, after, COARSE),
    ),
    FrameMeasure(
        f"phase_coherence@{FINE:.3g}",
        "1",
        "higher",
        "The same below 1/8 cycles per px: outlines of objects and lane paint.",
        False,
        lambda before, after, _: phase_coherence(before, after, FINE),
    ),
    FrameMeasure(
        "blur_ssim",
        "1",
        "higher",
        "SSIM of luminance after a Gaussian blur of 2 px on both sides.",
        False,
        lambda before, after, _: blur_ssim(before, after),
    ),
    FrameMeasure(
        "canny_f1",
        "1",
        "higher",
        "F1 of edge pixels matched within 1 px; Canny, thresholds 100 and 200. New texture lowers it too.",
        False,
        lambda before, after, _: canny_f1(before, after),
    ),
    FrameMeasure(
        "lane_edge_recall",
        "1",
        "higher",
        "Share of the source's edges on labelled lane paint that are found again within 2 px.",
        True,
        lane_edge_recall,
    ),
    FrameMeasure(
        "colour_change",
        "ΔE",
        "neither",
        "Mean CIE 1976 colour difference: how much was changed at all. An untouched picture has 0.",
        False,
        lambda before, after, _: colour_change(before, after),
    ),
)


@dataclass
class Survey:
    """What one pass found.

    Attributes:
        names: the frames, in the order of the set.
        measurements: measure -> one measurement per frame; empty where there is no before.
        before: colours of the pictures before.
        after: colours of the pictures after.
        pixels: (256,) pixels per semantic label.
        problems: frame that could not be measured -> why.
    """

    names: list[str] = field(default_factory=list)
    measurements: dict[str, list[Measurement]] = field(default_factory=dict)
    before: LabStatistics = field(default_factory=LabStatistics)
    after: LabStatistics = field(default_factory=LabStatistics)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    problems: dict[str, str] = field(default_factory=dict)

    def summaries(self) -> list[Summary]:
        """Mean and interval of each measure."""
        return [summarise(measurements) for measurements in self.measurements.values()]

    def worst_first(self) -> list[str]:
        """Frames by their mean rank over the measures that have a better direction, worst first.

        Frames with a problem come before all others; a measure without a value does not count.
        """
        ranks = np.full((len(self.measurements), len(self.names)), np.nan)
        for row, measurements in zip(ranks, self.measurements.values(), strict=True):
            values = np.array([m.value * SIGN[m.better] for m in measurements])
            valid = np.isfinite(values)
            row[valid] = values[valid].argsort(kind="stable").argsort(kind="stable") / max(valid.sum() - 1, 1)
        ranked = np.isfinite(ranks).any(axis=0)
        mean_rank = np.full(len(self.names), -1.0)
        mean_rank[ranked] = np.nanmean(ranks[:, ranked], axis=0)
        return [self.names[index] for index in mean_rank.argsort(kind="stable")]


def survey(frames: FrameSet, names: Sequence[str], progress: ProgressCallback | None = None) -> Survey:
    """Measures the named frames.

    Args:
        frames: the set.
        names: which, in the order of `frames.names()`.
        progress: called as progress("measure frames", done, total).
    """
    result = Survey()
    for done, frame in enumerate(frames.read(names), start=1):
        _add(result, frame, frames.has_before)
        if progress:
            progress("measure frames", done, len(names))
    labelled = result.pixels.any()
    for measure in FRAME_MEASURES:
        if measure.needs_labels and not labelled:
            result.measurements.pop(measure.name, None)
    return result


def _add(result: Survey, frame: InspectedFrame, has_before: bool) -> None:
    result.names.append(frame.name)
    if frame.problem:
        result.problems[frame.name] = frame.problem
    else:
        result.after.add(frame.after)
        if frame.before is not None:
            result.before.add(frame.before)
    if frame.semantics is not None:
        result.pixels += class_pixels(frame.semantics)
    if has_before:
        for measure in FRAME_MEASURES:
            result.measurements.setdefault(measure.name, []).append(_measured(measure, frame))


def _measured(measure: FrameMeasure, frame: InspectedFrame) -> Measurement:
    if frame.problem:
        return Measurement(measure.name, float("nan"), False, measure.unit, measure.better, frame.problem)
    return measure.measure(frame.before, frame.after, frame.semantics)
