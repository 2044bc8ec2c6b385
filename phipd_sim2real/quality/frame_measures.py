"""The measures of one frame against its source that an inspection takes, each with what the page says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.quality.colour import colour_change
from phipd_sim2real.quality.label_boundaries import boundary_counts, label_safety
from phipd_sim2real.quality.lpips import Lpips
from phipd_sim2real.quality.measurement import Direction, Measurement
from phipd_sim2real.quality.self_similarity import structure_distance
from phipd_sim2real.quality.structure import blur_ssim, canny_f1, lane_edge_recall, phase_coherence
from phipd_sim2real.quality.temporal import flow_epe

COARSE, FINE = 1 / 48, 1 / 8  # cycles per pixel: what is wider than 24 px, and wider than 4 px


@dataclass(frozen=True)
class FrameMeasure:
    """A measure of one frame.

    Attributes:
        name: as in its measurements.
        unit: of the value.
        better: which direction is better.
        definition: one sentence for the page.
        measure: (before, after, semantics or None) -> value.
        needs_labels: whether it exists only where there are semantic labels.
    """

    name: str
    unit: str
    better: Direction
    definition: str
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray | None], Measurement]
    needs_labels: bool = False


FRAME_MEASURES = (
    FrameMeasure(
        f"phase_coherence@{COARSE:.3g}",
        "1",
        "higher",
        "Mean cosine of the phase difference, weighted by source magnitude, below 1/48 cycles per px: layout.",
        lambda before, after, _: phase_coherence(before, after, COARSE),
    ),
    FrameMeasure(
        f"phase_coherence@{FINE:.3g}",
        "1",
        "higher",
        "The same below 1/8 cycles per px: outlines of objects and lane paint.",
        lambda before, after, _: phase_coherence(before, after, FINE),
    ),
    FrameMeasure(
        "blur_ssim",
        "1",
        "higher",
        "SSIM of luminance after a Gaussian blur of 2 px on both sides.",
        lambda before, after, _: blur_ssim(before, after),
    ),
    FrameMeasure(
        "canny_f1",
        "1",
        "higher",
        "F1 of edge pixels matched within 1 px; Canny, thresholds 100 and 200. New texture lowers it too.",
        lambda before, after, _: canny_f1(before, after),
    ),
    FrameMeasure(
        "structure_distance",
        "1",
        "lower",
        "Difference of self-similarity matrices of local orientation, blind to palette and light. Two unrelated "
        "street pictures reach about 0.1.",
        lambda before, after, _: structure_distance(before, after),
    ),
    FrameMeasure(
        "flow_epe",
        "px",
        "lower",
        "Mean length of the optical flow (DIS) from source to result, where the source has texture: how far outlines "
        "have moved, or were drawn anew.",
        lambda before, after, _: flow_epe(before, after),
    ),
    FrameMeasure(
        "lane_edge_recall",
        "1",
        "higher",
        "Share of the source's edges on labelled lane paint that are found again within 2 px.",
        lane_edge_recall,
        needs_labels=True,
    ),
    FrameMeasure(
        "label_safety",
        "1",
        "higher",
        "Recall of edges at label boundaries beyond chance, mean over the classes in view; the table below has each.",
        lambda before, after, labels: label_safety(None if labels is None else boundary_counts(before, after, labels)),
        needs_labels=True,
    ),
    FrameMeasure(
        "colour_change",
        "ΔE",
        "neither",
        "Mean CIE 1976 colour difference: how much was changed at all. An untouched picture has 0.",
        lambda before, after, _: colour_change(before, after),
    ),
)


def lpips_measure(lpips: Lpips) -> FrameMeasure:
    """LPIPS with the user's weights as one more measure."""
    return FrameMeasure(
        "lpips",
        "1",
        "lower",
        f"LPIPS to the source on {lpips.trunk}; some distance is what an enhancement is for. "
        f"Weights {lpips.sha256[:12]}.",
        lambda before, after, _: lpips(before, after),
    )
