"""One pass over the frames of a set: every measure of every frame, one frame in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.colour import LabStatistics
from phipd_sim2real.quality.frame_measures import FRAME_MEASURES, FrameMeasure
from phipd_sim2real.quality.frames import FrameSet, InspectedFrame
from phipd_sim2real.quality.label_boundaries import BoundaryCounts, boundary_counts, total_counts
from phipd_sim2real.quality.measurement import Direction, Measurement, Summary, summarise
from phipd_sim2real.quality.overlays import class_pixels
from phipd_sim2real.quality.realism import Realism

SIGN: dict[Direction, float] = {"higher": 1.0, "lower": -1.0, "neither": float("nan")}


@dataclass
class Survey:
    """What one pass found.

    Attributes:
        names: the frames, in the order of the set.
        measurements: measure -> one measurement per frame; empty where there is no before.
        before: colours of the pictures before.
        after: colours of the pictures after.
        pixels: (256,) pixels per semantic label.
        boundaries: class -> its label boundaries, counted over all frames; empty without labels or a before.
        problems: frame that could not be measured -> why.
    """

    names: list[str] = field(default_factory=list)
    measurements: dict[str, list[Measurement]] = field(default_factory=dict)
    before: LabStatistics = field(default_factory=LabStatistics)
    after: LabStatistics = field(default_factory=LabStatistics)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    boundaries: dict[str, BoundaryCounts] = field(default_factory=dict)
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


def survey(
    frames: FrameSet,
    names: Sequence[str],
    progress: ProgressCallback | None = None,
    measures: Sequence[FrameMeasure] = FRAME_MEASURES,
    realism: Realism | None = None,
) -> Survey:
    """Measures the named frames.

    Args:
        frames: the set.
        names: which, in the order of `frames.names()`.
        progress: called as progress("measure frames", done, total).
        measures: what is measured of each frame that has a before.
        realism: gathers the pictures' looks where a reference is given.
    """
    result = Survey()
    for done, frame in enumerate(frames.read(names), start=1):
        _add(result, frame, measures if frames.has_before else ())
        if realism and not frame.problem:
            realism.add(frame.before, frame.after)
        if progress:
            progress("measure frames", done, len(names))
    labelled = result.pixels.any()
    for measure in measures:
        if measure.needs_labels and not labelled:
            result.measurements.pop(measure.name, None)
    return result


def _add(result: Survey, frame: InspectedFrame, measures: Sequence[FrameMeasure]) -> None:
    result.names.append(frame.name)
    if frame.problem:
        result.problems[frame.name] = frame.problem
    else:
        result.after.add(frame.after)
        if frame.before is not None:
            result.before.add(frame.before)
    if frame.semantics is not None:
        result.pixels += class_pixels(frame.semantics)
        if frame.before is not None and not frame.problem:
            counts = boundary_counts(frame.before, frame.after, frame.semantics)
            result.boundaries = total_counts([result.boundaries, counts] if result.boundaries else [counts])
    for measure in measures:
        result.measurements.setdefault(measure.name, []).append(_measured(measure, frame))


def _measured(measure: FrameMeasure, frame: InspectedFrame) -> Measurement:
    if frame.problem:
        return Measurement(measure.name, float("nan"), False, measure.unit, measure.better, frame.problem)
    return measure.measure(frame.before, frame.after, frame.semantics)
