"""Everything that is measured of one set of results, frame by frame, in one file that is complete or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phipd_sim2real.bench.clips import Clip
from phipd_sim2real.bench.realism import PatchSet
from phipd_sim2real.bench.resampling import weighted_mean
from phipd_sim2real.files import atomic_path
from phipd_sim2real.quality.colour import LabStatistics, colour_change
from phipd_sim2real.quality.label_boundaries import CLASSES, BoundaryCounts, boundary_counts, label_safety
from phipd_sim2real.quality.measurement import Direction, Measurement
from phipd_sim2real.quality.self_similarity import structure_distance
from phipd_sim2real.quality.structure import lane_edge_recall
from phipd_sim2real.quality.temporal import (
    flow_consistency,
    flow_consistency_seen,
    flow_epe,
    gt_flow_warp_error,
)
from phipd_sim2real.quality.texture import texture_features

Perceptual = Callable[[np.ndarray, np.ndarray], Measurement]
COUNTS = tuple(vars(BoundaryCounts()))
VERSION = 2
"""Of the measures; files of another version are measured anew."""


@dataclass(frozen=True)
class FrameMeasure:
    """A measure of single frames or pairs of neighbours: unit, direction, and one sentence for readers."""

    unit: str
    better: Direction
    definition: str


FRAME_MEASURES = {
    "flow_epe": FrameMeasure("px", "lower", "Optical flow (DIS) from source to result, mean length; 0 is right."),
    "flow_consistency": FrameMeasure(
        "px", "lower", "Optical flow (DIS) between successive results against the exact flow, mean endpoint error."
    ),
    "flow_consistency_seen": FrameMeasure(
        "px",
        "lower",
        "The same where DIS is right about the source's own clip: equal pixels for all.",
    ),
    "gt_flow_warp_error": FrameMeasure(
        "linear RGB", "lower", "Mean difference of a result and its successor warped back along the exact flow."
    ),
    "structure_distance": FrameMeasure(
        "1", "lower", "Difference of the self-similarity of local orientations to the source; no learnt weights."
    ),
    "lane_edge_recall": FrameMeasure("1", "higher", "Share of the source's edges on lane paint found within 2 px."),
    "structure_to_truth": FrameMeasure(
        "1", "lower", "As structure_distance, to the same moment rendered in the other look."
    ),
    "colour_to_truth": FrameMeasure("ΔE", "lower", "Mean colour difference to the same moment in the other look."),
    "lpips_to_truth": FrameMeasure("1", "lower", "LPIPS to the same moment rendered in the other look."),
}


PAIR_MEASURES = ("flow_consistency", "flow_consistency_seen", "gt_flow_warp_error")


@dataclass(frozen=True)
class SetMeasures:
    """Measures of one set of results.

    Attributes:
        clips: names of the segments.
        clip_of: (frames,) int, the clip of each frame.
        values: measure -> (frames,) float64, NaN where a frame has none; pairs are booked on their first frame.
        counts: (clips, classes, 5) int label-boundary counts.
        patches: texture features.
        colours: Lab of all pixels.
    """

    clips: tuple[str, ...]
    clip_of: np.ndarray
    values: dict[str, np.ndarray]
    counts: np.ndarray
    patches: PatchSet
    colours: LabStatistics

    def mean(self, name: str, weights: np.ndarray) -> np.ndarray:
        """(draws,) means of a measure, or the label safety, over weighted clips."""
        if name == "label_safety":
            return np.array([_safety(totals) for totals in np.tensordot(weights, self.counts, axes=1)])
        return weighted_mean(self.values[name], self.clip_of, weights)

    def valid(self, name: str) -> int:
        """Frames with a value; for the label safety, frames in which a class was seen."""
        if name == "label_safety":
            return int(self.counts[..., COUNTS.index("pictures")].sum(axis=0).max())
        return int(np.isfinite(self.values[name]).sum())

    def class_recall(self) -> dict[str, float]:
        """Boundary recall beyond chance of each class that was seen."""
        totals = self.counts.sum(axis=0)
        counts = {name: BoundaryCounts(*map(int, row)) for name, row in zip(CLASSES, totals, strict=True)}
        return {name: item.beyond_chance for name, item in counts.items() if item.pictures}

    def save(self, path: Path) -> None:
        """Writes the file."""
        statistics = {"mean": self.colours.mean, "covariance": self.colours.covariance, "pixels": self.colours.pixels}
        arrays = {f"value:{name}": values for name, values in self.values.items()}
        arrays |= {f"colour:{name}": np.asarray(value) for name, value in statistics.items()}
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                clips=np.array(self.clips),
                clip_of=self.clip_of,
                counts=self.counts,
                features=self.patches.features,
                patch_clip=self.patches.clip_of,
                **arrays,
            )

    @classmethod
    def load(cls, path: Path) -> SetMeasures:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        colour = {name.split(":")[1]: arrays[name] for name in arrays if name.startswith("colour:")}
        return cls(
            tuple(map(str, arrays["clips"])),
            arrays["clip_of"],
            {name.split(":", 1)[1]: arrays[name] for name in arrays if name.startswith("value:")},
            arrays["counts"],
            PatchSet(arrays["features"], arrays["patch_clip"]),
            _statistics(colour["mean"], colour["covariance"], int(colour["pixels"])),
        )


def measure_set(
    clips: Iterable[tuple[Clip, Sequence[np.ndarray]]], perceptual: Perceptual | None = None
) -> SetMeasures:
    """Measures results against their clips.

    Args:
        clips: each clip and its results, one for each of its pictures.
        perceptual: LPIPS, where its weights were given.
    """
    names: list[str] = []
    values: dict[str, list[float]] = {}
    clip_of, patch_clip, features, counts, colours = [], [], [], [], LabStatistics()
    for index, (clip, results) in enumerate(clips):
        names.append(clip.segment)
        clip_of += [index] * len(results)
        counts.append(_counts(clip, results))
        for frame, result in enumerate(results):
            for name, value in _frame(clip, results, frame, perceptual).items():
                values.setdefault(name, []).append(value)
            features.append(texture_features(result))
            patch_clip += [index] * len(features[-1])
            colours.add(result)
    patches = PatchSet(np.concatenate(features), np.array(patch_clip))
    arrays = {name: np.array(items) for name, items in values.items()}
    return SetMeasures(tuple(names), np.array(clip_of), arrays, np.array(counts), patches, colours)


def picture_set(clips: Iterable[Sequence[np.ndarray]]) -> tuple[PatchSet, LabStatistics]:
    """What realism needs of a target set: one sequence of pictures per clip."""
    features, patch_clip, colours = [], [], LabStatistics()
    for index, pictures in enumerate(clips):
        for picture in pictures:
            features.append(texture_features(picture))
            patch_clip += [index] * len(features[-1])
            colours.add(picture)
    return PatchSet(np.concatenate(features), np.array(patch_clip)), colours


def _frame(clip: Clip, results: Sequence[np.ndarray], frame: int, perceptual: Perceptual | None) -> dict[str, float]:
    source, result = clip.pictures[frame], results[frame]
    found = [
        flow_epe(source, result),
        structure_distance(source, result),
        lane_edge_recall(source, result, clip.semantics[frame]),
    ]
    values = {item.name: item.value for item in found}
    values |= _pair(clip, results, frame)
    if clip.truth is not None:
        truth = clip.truth[frame]
        values["structure_to_truth"] = structure_distance(truth, result).value
        values["colour_to_truth"] = colour_change(truth, result).value
        if perceptual is not None:
            values["lpips_to_truth"] = perceptual(truth, result).value
    return values


def _pair(clip: Clip, results: Sequence[np.ndarray], frame: int) -> dict[str, float]:
    """Measures of a result and its successor; NaN for the last one."""
    if frame == len(clip.flows):
        return dict.fromkeys(PAIR_MEASURES, float("nan"))
    pair, flow = (results[frame], results[frame + 1]), clip.flows[frame]
    found = (
        flow_consistency(*pair, *flow),
        flow_consistency_seen(*pair, flow.forward, clip.seen[frame]),
        gt_flow_warp_error(*pair, *flow),
    )
    return {item.name: item.value for item in found}


def _counts(clip: Clip, results: Sequence[np.ndarray]) -> np.ndarray:
    """(classes, 5) int, summed over the clip."""
    total = np.zeros((len(CLASSES), len(COUNTS)), np.int64)
    for source, result, semantics in zip(clip.pictures, results, clip.semantics, strict=True):
        counts = boundary_counts(source, result, semantics)
        total += np.array([[getattr(counts[name], field) for field in COUNTS] for name in CLASSES])
    return total


def _safety(totals: np.ndarray) -> float:
    rows = zip(CLASSES, totals, strict=True)
    return label_safety({name: BoundaryCounts(*map(int, row)) for name, row in rows}).value


def _statistics(mean: np.ndarray, covariance: np.ndarray, pixels: int) -> LabStatistics:
    return LabStatistics(0, pixels, mean * pixels, (covariance + np.outer(mean, mean)) * pixels)
