"""Pictures and maps that are made of a frame's exact labels: what ControlNets see, and where structure is rigid."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from phipd_sim2real.drivelog.images import METRES_PER_UNIT

SKY_M = 999.0
"""Depth from which on there is sky: CARLA's far plane lies at 1000 m."""

ADE20K = {
    1: (140, 140, 140),  # road
    2: (235, 255, 7),  # sidewalk
    3: (180, 120, 120),  # building
    4: (120, 120, 120),  # wall
    5: (255, 184, 6),  # fence
    6: (51, 0, 255),  # pole
    7: (41, 0, 255),  # traffic light
    8: (255, 5, 153),  # traffic sign: signboard
    9: (4, 200, 3),  # vegetation: tree
    10: (4, 250, 7),  # terrain: grass
    11: (6, 230, 230),  # sky
    12: (150, 5, 61),  # pedestrian: person
    13: (150, 5, 61),  # rider: person
    14: (0, 102, 200),  # car
    15: (255, 0, 20),  # truck
    16: (255, 0, 245),  # bus
    17: (255, 0, 245),  # train, which ADE20K lacks: bus
    18: (163, 0, 255),  # motorcycle: minibike
    19: (255, 245, 0),  # bicycle
    23: (61, 230, 250),  # water
    24: (140, 140, 140),  # road line, which ADE20K lacks: road
    25: (120, 120, 70),  # ground: earth
    26: (255, 82, 0),  # bridge
    27: (120, 120, 70),  # rail track, which ADE20K lacks: earth
    28: (255, 61, 6),  # guard rail: railing
}
"""CARLA 0.9.16 label -> RGB of the ADE20K class closest to it; what is not here has none and is black."""


def depth_picture(depth_m: np.ndarray) -> np.ndarray:
    """Depth as ControlNets are trained on it, with MiDaS and its kind: inverse depth, near is white.

    With d = 1/z, 0 in the sky, a pixel is 255 (d - min d) / (max d - min d), extremes over the frame.

    Args:
        depth_m: (H, W) metres along the camera's axis; the sky is at 1000.

    Returns:
        (H, W, 3) uint8 grey.
    """
    inverse = np.where(depth_m < SKY_M, 1 / np.maximum(depth_m.astype(np.float64), METRES_PER_UNIT), 0.0)
    span = inverse.max() - inverse.min()
    grey = (inverse - inverse.min()) / span if span > 0 else inverse * 0
    return np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=-1)


def semantics_picture(semantics: np.ndarray) -> np.ndarray:
    """Labels in the colours of ADE20K, which public segmentation ControlNets are trained on, not in CARLA's own.

    Args:
        semantics: (H, W) uint8 CARLA labels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    palette = np.zeros((256, 3), np.uint8)
    for label, colour in ADE20K.items():
        palette[label] = colour
    return palette[semantics]


def rigidity_map(
    semantics: np.ndarray | None,
    size: tuple[int, int],
    elsewhere: float,
    classes: Mapping[str, float],
    widened_px: int,
) -> np.ndarray:
    """How far structure is kept at each place.

    A class that is more rigid than what surrounds it is widened, so that its outline lies inside; a looser one
    holds on its own pixels alone. Where several reach, the most rigid holds.

    Args:
        semantics: (H, W) uint8 CARLA labels; None where no class is asked for.
        size: (H, W).
        elsewhere: rigidity where no class is, in [0, 1].
        classes: name -> rigidity; see `class_region`.
        widened_px: by how much, along rows, columns and diagonals.

    Returns:
        (H, W) float32 in [0, 1].
    """
    rigidity = np.full(size, elsewhere, np.float32)
    square = np.ones((2 * widened_px + 1,) * 2, np.uint8)
    for name, value in sorted(classes.items(), key=lambda item: item[1]):
        region = class_region(semantics, name).astype(np.uint8)
        rigidity[(cv2.dilate(region, square) if value > elsewhere else region) > 0] = value
    return rigidity


def class_region(semantics: np.ndarray, name: str) -> np.ndarray:
    """(H, W) bool: pixels of a class, by its name in `class_names`; of kerbs both sides of the kerb."""
    from phipd_sim2real.quality.label_boundaries import label_boundary

    if name == "kerbs":
        return label_boundary(semantics, name)
    return np.isin(semantics, class_names()[name])


def class_names() -> dict[str, tuple[int, ...]]:
    """Class -> its CARLA labels: the groups of the label-safety measure, and every CARLA label by its own name."""
    from phipd_sim2real.quality.label_boundaries import CLASSES as GROUPS
    from phipd_sim2real.quality.overlays import CLASSES

    return {name.replace(" ", "_"): (label,) for label, (name, _) in CLASSES.items()} | GROUPS
