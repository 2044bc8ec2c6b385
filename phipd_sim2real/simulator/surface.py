"""The points that rays hit, with what shading needs about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from phipd_sim2real.simulator.triangles import Material, Triangles

# Vectors of many points are kept as (3, N): numpy then works along N and not three numbers at a time, which is
# several times slower. The ray caster alone wants (N, 3).


def columns(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The chosen rows of an (N, C) table as (C, n)."""
    # Rows of pixels are gathered by `take`: indexing by an array is several times slower.
    return np.ascontiguousarray(table.take(rows, axis=0).T)


def interleaved(vectors: np.ndarray) -> np.ndarray:
    """(3, N) float32 as (N, 3)."""
    return np.stack(list(vectors), axis=-1)


def put(target: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Sets columns of a (3, N) array to (3, n) values, one component at a time, which is several times faster."""
    for component, part in zip(target, values, strict=True):
        component[rows] = part


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) dot products of two (C, N) arrays, summed from the first component on."""
    total = a[0] * b[0]
    for one, other in zip(a[1:], b[1:], strict=True):
        total += one * other
    return total


def unit(vectors: np.ndarray, least: float) -> np.ndarray:
    """(C, N) vectors at length 1; those shorter than `least` stay shorter."""
    return vectors / np.maximum(np.sqrt(dot(vectors, vectors)), np.float32(least))


@dataclass(frozen=True)
class Hits:
    """First hits of n rays in one `Triangles` soup; those of one material stand together.

    Attributes:
        soup: what they hit.
        kind: (n,) uint8, their materials.
        rows: (n,) int, the rays that hit.
        triangle: (n,) int, where in the soup.
        u, v: (n,) float32 barycentric coordinates.
        point: (3, n) float32 world metres.
        direction: (3, n) float32 unit vectors of the rays.
        distance: (n,) float32 metres.
        face: (3, n) float32 unit geometric normals that face the eye.
    """

    soup: Triangles
    kind: np.ndarray
    rows: np.ndarray
    triangle: np.ndarray
    u: np.ndarray
    v: np.ndarray
    point: np.ndarray
    direction: np.ndarray
    distance: np.ndarray
    face: np.ndarray

    @cached_property
    def params(self) -> np.ndarray:
        """(3, n) float32, interpolated between the triangles' corners."""
        corner = columns(self.soup.params.reshape(-1, 9), self.triangle).reshape(3, 3, -1)
        return corner[0] * (1 - self.u - self.v) + corner[1] * self.u + corner[2] * self.v

    @cached_property
    def variate(self) -> np.ndarray:
        """(3, n) float32, as in `Triangles`."""
        return columns(self.soup.variate, self.triangle)

    @cached_property
    def frame(self) -> np.ndarray:
        """(3, n) float32, as in `Triangles`."""
        return columns(self.soup.frame, self.triangle)

    @cached_property
    def marks(self) -> np.ndarray:
        """(2, n) uint8, as in `Triangles`."""
        return columns(self.soup.marks, self.triangle)

    def runs(self) -> Iterator[tuple[Material, slice]]:
        """The materials that were hit, and where their hits are."""
        ends = self.kind.searchsorted(np.arange(len(Material), dtype=np.uint8), side="right").tolist()
        for material, begin, end in zip(Material, [0, *ends], ends, strict=False):
            if begin < end:
                yield material, slice(begin, end)

    def part(self, run: slice) -> dict[str, np.ndarray]:
        """The attributes of a run of hits."""
        arrays = {field.name: getattr(self, field.name) for field in fields(Hits)[1:]}
        return {"soup": self.soup} | {name: values[..., run] for name, values in arrays.items()}


@dataclass(frozen=True)
class Surface(Hits):
    """Visible points of one material.

    Attributes:
        material: of all of them.
        footprint: (n,) float32 metres that a pixel spans across the ray at the point.
        visibility: (n,) float32 share of the sun that reaches the point.
    """

    material: Material
    footprint: np.ndarray
    visibility: np.ndarray

    @cached_property
    def normal(self) -> np.ndarray:
        """(3, n) unit shading normals: smooth on terrain and crowns, the geometric ones of everything else."""
        if self.material is Material.TERRAIN:
            return unit(self.params, 1e-6)
        if self.material is Material.CROWN:
            away = unit(self.point - self.frame, 1e-3)
            return unit(np.float32(0.7) * away + np.float32(0.3) * self.face, 1e-6)
        return self.face
