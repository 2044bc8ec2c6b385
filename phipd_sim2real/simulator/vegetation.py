"""Trees, bushes and hedges in two habits: smooth modelled crowns, and leafy irregular ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from phipd_sim2real.simulator.triangles import (
    UP,
    Label,
    Material,
    Triangles,
    concatenate,
    prism,
    quads,
    regular_polygon,
    triangles,
)


@lru_cache(maxsize=4)
def icosphere(subdivisions: int) -> np.ndarray:
    """(T, 3, 3) triangles of a unit sphere made from an icosahedron."""
    golden = (1 + 5**0.5) / 2
    ring = np.array([[-1, golden], [1, golden], [-1, -golden], [1, -golden]])
    zero = np.zeros(4)
    points = np.concatenate(
        [np.column_stack([*cols]) for cols in ((ring[:, 0], ring[:, 1], zero), (zero, ring[:, 0], ring[:, 1]))]
        + [np.column_stack([ring[:, 1], zero, ring[:, 0]])]
    )
    gap = np.linalg.norm(points[:, None] - points[None], axis=-1)
    near = np.isclose(gap, 2.0)
    index = [(a, b, c) for a in range(12) for b in range(a) for c in range(b) if near[a, b] & near[b, c] & near[a, c]]
    faces = points[np.array(index)]
    for _ in range(subdivisions):
        middle = (faces + np.roll(faces, -1, 1)) / 2
        inner = [np.stack([faces[:, k], middle[:, k], middle[:, k - 1]], 1) for k in range(3)]
        faces = np.concatenate([*inner, middle])
    return faces / np.linalg.norm(faces, axis=-1, keepdims=True)


def _lobe(rng: np.random.Generator, centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """A lumpy ellipsoid, (80, 3, 3)."""
    sphere = icosphere(1)
    direction = rng.normal(size=(4, 3)) * 1.6
    phase = rng.uniform(0, 6.28, 4)
    lump = 1 + 0.07 * np.sin(sphere @ direction.T + phase).sum(-1, keepdims=True)
    return sphere * lump * radii + centre


def _leaves(rng: np.random.Generator, centre: np.ndarray, radii: np.ndarray, count: int, size: float) -> np.ndarray:
    """Triangles strewn over an ellipsoid's shell, (count, 3, 3)."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    reach = rng.uniform(0.72, 1.12, (count, 1))
    middle = centre + direction * reach * radii
    return middle[:, None] + rng.normal(size=(count, 3, 3)) * size


def _trunk(rng: np.random.Generator, base: np.ndarray, height: float, radius: float) -> np.ndarray:
    lean = np.array([*rng.normal(0, 0.03, 2), 0]) * height
    stem = prism(regular_polygon(6, radius), -0.6, height, taper=0.6, cap=False)
    return stem + base + lean * np.clip(stem[..., 2:] / height, 0, 1)


def tree(rng: np.random.Generator, base: np.ndarray, kind: str) -> Triangles:
    """One tree.

    Args:
        rng: of this tree.
        base: (3,) world metres of the foot.
        kind: "round", "conifer" (smooth crowns), "broad", "poplar", "bare" (leafy, irregular crowns).

    Returns:
        Its triangles: trunk and crown.
    """
    height = {"round": 6.5, "conifer": 9.0, "broad": 9.0, "poplar": 13.0, "bare": 8.0}[kind] * rng.uniform(0.75, 1.25)
    variate = rng.random(3)
    crown, centre, radius = _CROWNS[kind](rng, base, height)
    stem = _trunk(rng, base, height * 0.72, 0.03 * height**0.9 + 0.04)
    parts = [
        triangles(stem, Material.TRUNK, Label.VEGETATION, variate=variate),
        triangles(crown, Material.CROWN, Label.VEGETATION, params=(radius, 0, 0), variate=variate, frame=centre),
    ]
    return concatenate(parts)


def _round(rng: np.random.Generator, base: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    radius = height * rng.uniform(0.26, 0.34)
    centre = base + UP * (height - radius)
    offsets = rng.normal(size=(2, 3)) * radius * 0.35
    lobes = [_lobe(rng, centre, np.array([1, 1, 0.95]) * radius)]
    lobes += [_lobe(rng, centre + o * [1, 1, 0.6], np.full(3, radius * 0.72)) for o in offsets]
    return np.concatenate(lobes), centre, radius * 1.2


def _conifer(rng: np.random.Generator, base: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    radius = height * rng.uniform(0.17, 0.22)
    tiers = []
    for k in range(3):
        low = height * (0.16 + 0.26 * k)
        cone = prism(regular_polygon(9, radius * (1 - 0.26 * k)), low, low + height * 0.36, taper=0.04)
        tiers.append(cone + base)
    return np.concatenate(tiers), base + UP * (height * 0.5), height * 0.45


def _broad(rng: np.random.Generator, base: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    radius = height * rng.uniform(0.3, 0.4)
    centre = base + UP * (height - radius * 0.8)
    parts = []
    for _ in range(4):
        middle = centre + rng.normal(size=3) * radius * [0.45, 0.45, 0.3]
        radii = radius * rng.uniform(0.45, 0.7) * np.array([1, 1, 0.8])
        parts += [_lobe(rng, middle, radii * 0.8), _leaves(rng, middle, radii, 150, 0.17)]
    return np.concatenate(parts), centre, radius * 1.1


def _poplar(rng: np.random.Generator, base: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    radii = height * np.array([0.11, 0.11, 0.42])
    centre = base + UP * (height * 0.56)
    parts = [_lobe(rng, centre, radii * 0.85), _leaves(rng, centre, radii, 420, 0.15)]
    return np.concatenate(parts), centre, height * 0.4


def _bare(rng: np.random.Generator, base: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Boughs with little foliage: thin blades from the stem, and loose leaves."""
    count = 34
    foot = base + np.column_stack([np.zeros((count, 2)), rng.uniform(0.3, 0.75, count) * height])
    direction = np.column_stack([rng.normal(size=(count, 2)), rng.uniform(0.3, 1.4, count)])
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    tip = foot + direction * height * rng.uniform(0.2, 0.42, (count, 1))
    blade = rng.normal(size=(count, 3)) * 0.07
    boughs = np.stack([foot - blade, foot + blade, tip], axis=1)
    centre = base + UP * (height * 0.72)
    leaves = _leaves(rng, centre, height * np.array([0.27, 0.27, 0.26]), 130, 0.15)
    return np.concatenate([boughs, leaves]), centre, height * 0.4


_CROWNS = {"round": _round, "conifer": _conifer, "broad": _broad, "poplar": _poplar, "bare": _bare}


def bush(rng: np.random.Generator, base: np.ndarray, leafy: bool) -> Triangles:
    """A knee- to chest-high bush."""
    radius = rng.uniform(0.5, 1.1)
    centre = base + UP * (radius * 0.4)
    crown = _lobe(rng, centre, np.array([1.1, 1.1, 0.8]) * radius)
    if leafy:
        crown = np.concatenate([crown, _leaves(rng, centre, np.full(3, radius), 60, 0.12)])
    return triangles(
        crown, Material.CROWN, Label.VEGETATION, params=(radius, 0, 0), variate=rng.random(3), frame=centre
    )


def hedge(points: np.ndarray, outward: np.ndarray, height: float, variate: np.ndarray) -> Triangles:
    """A clipped hedge along (n, 3) ground points, 0.8 m thick to the `outward` (n, 2) side."""
    thick = np.column_stack([outward * 0.8, np.zeros(len(outward))])
    near, far = points - UP * 0.4, points + thick - UP * 0.4
    up = UP * (height + 0.4)
    sides = [(near, near + up), (near + up, far + up), (far + up, far)]
    faces = np.concatenate([quads(np.stack([a[:-1], b[:-1], b[1:], a[1:]], axis=1)) for a, b in sides])
    ends = quads(np.stack([np.stack([near[k], far[k], far[k] + up, near[k] + up]) for k in (0, -1)]))
    return triangles(np.concatenate([faces, ends]), Material.HEDGE, Label.VEGETATION, variate=variate)
