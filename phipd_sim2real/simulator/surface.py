"""The points that rays hit, with what shading needs about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phipd_sim2real.simulator.triangles import Material, Triangles


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) dot products of two (N, C) arrays, summed from the first column on."""
    total = a[:, 0] * b[:, 0]
    for column in range(1, a.shape[1]):
        total += a[:, column] * b[:, column]
    return total


@dataclass(frozen=True)
class Surface:
    """N visible points of one material; every array is float32 unless said.

    Attributes:
        point: (N, 3) world metres.
        direction: (N, 3) unit vectors of the sight rays.
        distance: (N,) metres.
        normal: (N, 3) unit shading normals that face the eye.
        footprint: (N,) metres that a pixel spans across the ray at the point.
        visibility: (N,) share of the sun that reaches the point.
        params, variate, frame: (N, 3), as in `Triangles`.
        marks: (N, 2) uint8.
    """

    point: np.ndarray
    direction: np.ndarray
    distance: np.ndarray
    normal: np.ndarray
    footprint: np.ndarray
    visibility: np.ndarray
    params: np.ndarray
    variate: np.ndarray
    frame: np.ndarray
    marks: np.ndarray


@dataclass(frozen=True)
class Hits:
    """First hits of N rays in one `Triangles` soup.

    Attributes:
        rows: (n,) int, the rays that hit.
        triangle: (n,) int, what they hit.
        u, v: (n,) float32 barycentric coordinates.
        normal: (n, 3) float32 unit geometric normals that face the eye.
    """

    rows: np.ndarray
    triangle: np.ndarray
    u: np.ndarray
    v: np.ndarray
    normal: np.ndarray

    def params(self, soup: Triangles, chosen: np.ndarray) -> np.ndarray:
        """(m, 3) interpolated params of the chosen hits."""
        # Rows of pixels are gathered by `take`: indexing by an array is several times slower.
        corner = soup.params.take(self.triangle.take(chosen), axis=0)
        u, v = self.u.take(chosen)[:, None], self.v.take(chosen)[:, None]
        return corner[:, 0] * (1 - u - v) + corner[:, 1] * u + corner[:, 2] * v


def shading_normal(
    material: Material, geometric: np.ndarray, params: np.ndarray, frame: np.ndarray, point: np.ndarray
) -> np.ndarray:
    """Smooth normals of terrain and crowns, the geometric ones of everything else; (m, 3) unit."""
    if material is Material.TERRAIN:
        normal = params
    elif material is Material.CROWN:
        away = point - frame
        away = away / np.maximum(np.sqrt(dot(away, away))[:, None], 1e-3)
        normal = 0.7 * away + 0.3 * geometric
    else:
        return geometric
    return normal / np.maximum(np.sqrt(dot(normal, normal))[:, None], 1e-6)
