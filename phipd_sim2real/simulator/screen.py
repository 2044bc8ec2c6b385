"""Work in the picture plane: softening shadows and finding the edges worth more rays."""

from __future__ import annotations

import cv2
import numpy as np

from phipd_sim2real.simulator.triangles import Material

SKY = 255
"""Stands for a material where a ray hits nothing."""

IS_GROUND = np.zeros(256, bool)
"""Lookup by material: surfaces that lie flat and take shadows as one sheet."""
IS_GROUND[[Material.ROAD, Material.SIDEWALK, Material.VERGE, Material.TERRAIN]] = True
_IS_SOLID = ~IS_GROUND
_IS_SOLID[SKY] = False


def soften(sun: np.ndarray, material: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Averages the 4 × 4 pattern of shadow rays within the ground and within everything else.

    Args:
        sun: (H, W) float32, 0 in shadow and 1 in light.
        material: (H, W) uint8.

    Returns:
        Light on the ground and on the rest, each (H·W,) float32, defined at every pixel.
    """
    ground = IS_GROUND[material].astype(np.float32)
    out = []
    for weight in (ground, 1 - ground):
        share = cv2.blur(weight, (4, 4))
        mean = cv2.blur(sun * weight, (4, 4)) / np.maximum(share, np.float32(1e-3))
        out.append(np.where(share > 1e-3, mean, np.float32(1)).ravel())
    return out[0], out[1]


def edges(material: np.ndarray, distance: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Finds pixels whose neighbour is another thing, another face, or much farther.

    Args:
        material: (H, W) uint8.
        distance: (H, W) float32 metres.
        normal: (3, H, W) float32 unit normals.

    Returns:
        (H·W,) bool.
    """
    solid, depth = _IS_SOLID[material], np.log(distance)
    edge = np.zeros(material.shape, bool)
    for axis in (0, 1):
        m, s, d, x, y, z, e = (np.swapaxes(a, 0, axis) for a in (material, solid, depth, *normal, edge))
        other_face = x[:-1] * x[1:] + y[:-1] * y[1:] + z[:-1] * z[1:] < 0.6
        differs = (m[:-1] != m[1:]) | (s[:-1] & s[1:] & (other_face | (np.abs(d[:-1] - d[1:]) > 0.2)))
        e[:-1] |= differs
        e[1:] |= differs
    return edge.ravel()
