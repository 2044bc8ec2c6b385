"""Labels made visible: class colours over a picture, and depth as a colour scale."""

from __future__ import annotations

import cv2
import numpy as np

CLASSES = {
    1: ("road", (128, 64, 128)),
    2: ("sidewalk", (244, 35, 232)),
    3: ("building", (150, 110, 90)),
    4: ("wall", (102, 102, 156)),
    5: ("fence", (190, 153, 153)),
    6: ("pole", (230, 230, 230)),
    7: ("traffic light", (250, 170, 30)),
    8: ("traffic sign", (220, 220, 0)),
    9: ("vegetation", (80, 150, 50)),
    10: ("terrain", (152, 220, 130)),
    11: ("sky", (70, 150, 210)),
    12: ("pedestrian", (220, 20, 60)),
    13: ("rider", (255, 70, 40)),
    14: ("car", (30, 60, 230)),
    15: ("truck", (60, 40, 170)),
    16: ("bus", (0, 110, 150)),
    17: ("train", (0, 80, 100)),
    18: ("motorcycle", (60, 0, 230)),
    19: ("bicycle", (119, 11, 32)),
    20: ("static", (110, 190, 160)),
    21: ("dynamic", (170, 120, 50)),
    22: ("other", (55, 90, 80)),
    23: ("water", (45, 60, 150)),
    24: ("road line", (190, 255, 60)),
    25: ("ground", (110, 30, 110)),
    26: ("bridge", (150, 100, 100)),
    27: ("rail track", (230, 150, 140)),
    28: ("guard rail", (180, 165, 180)),
}
"""CARLA 0.9.16 CityObjectLabel -> name and RGB; 0 has no label."""

LABEL_SHARE = 0.55
NEAREST_M, FARTHEST_M = 2.0, 200.0


def semantics_overlay(picture: np.ndarray, semantics: np.ndarray) -> np.ndarray:
    """Blends class colours over a picture: where they leave its outlines, labels and picture disagree.

    Args:
        picture: (H, W, 3) uint8 RGB.
        semantics: (H, W) uint8 CARLA labels.
    """
    palette = np.zeros((256, 3), np.uint8)
    for label, (_, colour) in CLASSES.items():
        palette[label] = colour
    return cv2.addWeighted(palette[semantics], LABEL_SHARE, picture, 1 - LABEL_SHARE, 0)


def depth_picture(depth_m: np.ndarray) -> np.ndarray:
    """(H, W) metres as (H, W, 3) uint8 RGB: red near, blue far, logarithmic from 2 m to 200 m, then dark."""
    span = np.log(FARTHEST_M / NEAREST_M)
    nearness = 1 - np.log(np.maximum(depth_m, NEAREST_M) / NEAREST_M) / span
    colours = cv2.applyColorMap((nearness.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    colours[depth_m > FARTHEST_M] = 28
    return np.ascontiguousarray(colours[..., ::-1])


def class_pixels(semantics: np.ndarray) -> np.ndarray:
    """(256,) int64 number of pixels of each label."""
    return np.bincount(semantics.ravel(), minlength=256)
