"""Boxes about what stands still in a map, for labels of the scenery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.simulator.triangles import Label, Triangles


@dataclass(frozen=True)
class LevelBox:
    """The box about one thing, or about the parts of one label of a thing.

    Attributes:
        label: CARLA's CityObjectLabel.
        centre: (3,) right-handed world metres.
        half_size: (3,) metres along the box's own axes.
        yaw: of the box, radians anticlockwise.
    """

    label: Label
    centre: np.ndarray
    half_size: np.ndarray
    yaw: float


def boxes_about(part: Triangles, yaw: float = 0.0) -> Iterator[LevelBox]:
    """The tightest boxes of a given yaw about one thing, one per label in it."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    for label in np.unique(part.label):
        points = part.vertices[part.label == label].reshape(-1, 3).astype(float) @ turn
        low, high = points.min(0), points.max(0)
        yield LevelBox(Label(int(label)), turn @ ((low + high) / 2), (high - low) / 2, yaw)
