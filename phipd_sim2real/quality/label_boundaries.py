"""Whether what is labelled still has its outline in the picture: edges found again at label boundaries, by class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from phipd_sim2real.quality.edges import canny_edges, grown
from phipd_sim2real.quality.measurement import Measurement

ROAD, SIDEWALK, ROAD_LINE = 1, 2, 24
CLASSES: dict[str, tuple[int, ...]] = {
    "poles": (6,),
    "traffic_signs": (7, 8),
    "vehicles": (14, 15, 16, 18, 19),
    "lane_paint": (ROAD_LINE,),
    "kerbs": (),
}
"""Class -> its CARLA 0.9.16 labels. Signs hold lights; kerbs have no label, they are where road meets sidewalk."""

TOLERANCE_PX = 2
SOURCE_TOLERANCE_PX = 1  # labels are exact to a pixel
RING_PX = (6, 12)
HIGHEST_CHANCE = 0.95
FEWEST_PIXELS = 20


@dataclass(frozen=True)
class BoundaryCounts:
    """Pixels of one class counted in one picture or in many; counts add.

    Attributes:
        asked: boundary pixels at which the source has an edge.
        found: those at which the output has one within 2 px.
        ring: pixels 6 to 12 px away from the boundary.
        ring_found: those with an edge of the output within 2 px: what a misplaced outline would find.
        pictures: in which the class has at least 20 such boundary pixels.
    """

    asked: int = 0
    found: int = 0
    ring: int = 0
    ring_found: int = 0
    pictures: int = 0

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(
            self.asked + other.asked,
            self.found + other.found,
            self.ring + other.ring,
            self.ring_found + other.ring_found,
            self.pictures + other.pictures,
        )

    @property
    def recall(self) -> float:
        """Found of asked; NaN where nothing was asked."""
        return self.found / self.asked if self.asked else float("nan")

    @property
    def chance(self) -> float:
        """Recall that edges strewn like those beside the boundary would have; 0 where the picture has no ring."""
        return self.ring_found / max(self.ring, 1)

    @property
    def beyond_chance(self) -> float:
        """(recall − chance) / (1 − chance), at least 0: 1 where every outline is kept, 0 where edges are anywhere.

        0 too where chance is above 0.95, which leaves nothing to tell an outline by.
        """
        if self.chance > HIGHEST_CHANCE:
            return 0.0
        return max(self.recall - self.chance, 0.0) / (1 - self.chance)


def boundary_counts(source: np.ndarray, output: np.ndarray, semantics: np.ndarray) -> dict[str, BoundaryCounts]:
    """Counts every class of `CLASSES` in one picture.

    Args:
        source: (H, W, 3) uint8 RGB, before.
        output: the same size, after.
        semantics: (H, W) uint8 CARLA labels.
    """
    near_source = grown(canny_edges(source), SOURCE_TOLERANCE_PX)
    near_output = grown(canny_edges(output), TOLERANCE_PX)
    return {name: _count(label_boundary(semantics, name), near_source, near_output) for name in CLASSES}


def boundary_recall(source: np.ndarray, output: np.ndarray, semantics: np.ndarray | None, name: str) -> Measurement:
    """Share of a class's boundary pixels with an edge in the source that have one in the output within 2 px.

    Edges are Canny's (thresholds 100 and 200). Dense texture finds an edge anywhere, so `label_safety` takes chance
    away; this plain share does not.

    Args:
        source: (H, W, 3) uint8 RGB, before.
        output: the same size, after.
        semantics: (H, W) uint8 CARLA labels, or None.
        name: one of `CLASSES`.
    """
    measure = f"boundary_recall:{name}"
    if semantics is None:
        return _absent(measure, "no semantic labels")
    boundary = label_boundary(semantics, name)
    counts = _count(boundary, grown(canny_edges(source), SOURCE_TOLERANCE_PX), grown(canny_edges(output), TOLERANCE_PX))
    return recall_measurement(name, counts)


def recall_measurement(name: str, counts: BoundaryCounts) -> Measurement:
    """The recall of a class from its counts, without a value below 20 boundary pixels."""
    measure = f"boundary_recall:{name}"
    if not counts.pictures:
        return _absent(measure, f"fewer than {FEWEST_PIXELS} px of such outlines in view")
    return Measurement(measure, counts.recall, True, "1", "higher")


def label_safety(counts: Mapping[str, BoundaryCounts] | None) -> Measurement:
    """Mean over classes of the boundary recall beyond chance: each class counts the same, however few its pixels.

    Args:
        counts: class -> counts of one picture, or summed over a set by `total_counts`; a class that was never seen
            takes no part, so give N as the classes with `pictures` above 0. None where there are no labels.
    """
    if counts is None:
        return _absent("label_safety", "no semantic labels")
    seen = [item for item in counts.values() if item.pictures]
    if not seen:
        return _absent("label_safety", "no outline of any class in view")
    return Measurement("label_safety", float(np.mean([item.beyond_chance for item in seen])), True, "1", "higher")


def total_counts(items: Iterable[Mapping[str, BoundaryCounts]]) -> dict[str, BoundaryCounts]:
    """Sums counts over pictures, class by class."""
    total = {name: BoundaryCounts() for name in CLASSES}
    for counts in items:
        total = {name: total[name] + counts[name] for name in CLASSES}
    return total


def label_boundary(semantics: np.ndarray, name: str) -> np.ndarray:
    """(H, W) bool: the outermost pixels of a class; for kerbs, both sides of where road meets sidewalk."""
    if name == "kerbs":
        road, sidewalk = np.isin(semantics, (ROAD, ROAD_LINE)), semantics == SIDEWALK
        return (road & grown(sidewalk, 1)) | (sidewalk & grown(road, 1))
    inside = np.isin(semantics, CLASSES[name])
    return inside & ~(cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _count(boundary: np.ndarray, near_source: np.ndarray, near_output: np.ndarray) -> BoundaryCounts:
    """Counts one class; nothing where too little of it has an edge in the source."""
    asked = boundary & near_source
    if asked.sum() < FEWEST_PIXELS:
        return BoundaryCounts()
    ring = grown(boundary, RING_PX[1]) & ~grown(boundary, RING_PX[0] - 1)
    sums = (asked, asked & near_output, ring, ring & near_output)
    return BoundaryCounts(*(int(mask.sum()) for mask in sums), pictures=1)


def _absent(name: str, reason: str) -> Measurement:
    return Measurement(name, float("nan"), False, "1", "higher", reason)
