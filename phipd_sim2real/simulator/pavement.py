"""Asphalt with its paint, repairs, cracks and stains, and slabs of the sidewalk."""

from __future__ import annotations

import numpy as np

from phipd_sim2real.simulator.lane_marks import Mark
from phipd_sim2real.simulator.look import GroundLook, Look
from phipd_sim2real.simulator.sky import Light
from phipd_sim2real.simulator.surface import Surface, dot, put, unit
from phipd_sim2real.simulator.textures import (
    crack_tile,
    fade,
    fractal_tile,
    line_coverage,
    mixed,
    pulse_coverage,
    sample_tile,
    smoothstep,
)

DASH, DASH_PERIOD = 3.0, 7.5
"""Metres of paint, and of paint and gap, of a broken line."""


def road_albedo(surface: Surface, look: Look, marks: list[Mark | None], light: Light) -> np.ndarray:
    """(3, N) linear albedo of the road with its paint."""
    ground, colours = look.ground, look.colours
    across, along = pixel_extent(surface)
    tone = _asphalt_tone(surface, ground, across)
    colour = colours["asphalt"][:, None] * tone
    if ground.dust:
        x, y, _ = surface.point
        drift = sample_tile(fractal_tile(14, 1.2, 2, 120), x, y, 13.0)
        share = ground.dust * smoothstep(0.9, 0.0, surface.params[2] + 0.35 * drift) * 0.7
        # Between two lanes there is no verge that dirt could come from.
        share = np.where(surface.marks[1] > 0, share * 0.4, share * 0.3)
        colour = mixed(colour, colours["soil"][0][:, None], share)
    for side in (0, 1):
        paint, yellow = paint_coverage(surface.params[:: 1 + side], surface.marks[side], marks, across, along)
        rows = np.flatnonzero(paint)
        paint, bare = paint.take(rows), colour.take(rows, axis=1)
        if ground.wear:
            paint = paint * _unworn(surface.point.take(rows, axis=1), surface.footprint.take(rows), ground.wear)
        ink = np.where(yellow.take(rows), colours["paint_yellow"][:, None], colours["paint_white"][:, None])
        put(colour, rows, mixed(bare, ink, paint))
    return colour * np.float32(1 - 0.45 * light.wet)


def pixel_extent(surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Metres that a pixel covers on the ground across and along the lane; each (N,)."""
    slant = np.maximum(np.abs(dot(surface.direction, surface.normal)), 0.01)
    aligned = dot(unit(surface.direction[:2], 1e-6), surface.frame[:2]) ** 2
    wide, long = surface.footprint**2, (surface.footprint / slant) ** 2
    across = np.sqrt(aligned * wide + (1 - aligned) * long)
    along = np.sqrt(aligned * long + (1 - aligned) * wide)
    return across, along


def paint_coverage(
    params: np.ndarray,
    codes: np.ndarray,
    marks: list[Mark | None],
    across: np.ndarray | float,
    along: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each pixel under the paint of one boundary, and whether that paint is yellow.

    Args:
        params: (2, N) station, and distance to the boundary, metres; further rows do not count.
        codes: (N,) which mark the boundary has.
        marks: the scene's table.
        across, along: the pixel's extent in metres; tiny values ask for the exact point.
    """
    table = np.array(
        [(0, 0, 0, 0) if m is None else (m.dashed, m.offset, m.width, m.yellow) for m in marks], np.float32
    )
    dashed, offset, width, yellow = (column.take(codes) for column in table.T)
    station, distance = params[0], params[1]
    across = np.broadcast_to(np.asarray(across, np.float32), distance.shape)
    along = np.broadcast_to(np.asarray(along, np.float32), distance.shape)
    paint = line_coverage(distance - offset, width, across) * (width > 0)
    broken = np.flatnonzero((paint > 0) & (dashed > 0))
    paint[broken] *= pulse_coverage(station[broken], DASH_PERIOD, DASH, along[broken])
    return paint, yellow > 0


def on_paint(params: np.ndarray, codes: np.ndarray, marks: list[Mark | None]) -> np.ndarray:
    """(N,) bool: whether the very point lies on paint, worn or not: the RoadLines label.

    Args:
        params, codes: `params` (3, N) and `marks` (2, N) of road triangles.
        marks: the scene's table.
    """
    sides = ((params[:: 1 + side], codes[side]) for side in (0, 1))
    return sum(paint_coverage(*side, marks, 1e-3, 1e-3)[0] for side in sides) > 0.5


def _asphalt_tone(surface: Surface, ground: GroundLook, across: np.ndarray) -> np.ndarray:
    """(N,) brightness of the asphalt about 1."""
    x, y, _ = surface.point
    station, inner, outer = surface.params
    fine = sample_tile(fractal_tile(11, 0.3, 20, 250), x, y, 3.1) * fade(surface.footprint, 0.035)
    coarse = sample_tile(fractal_tile(12, 1.3, 1, 80), x, y, 37.0)
    tone = 1 + np.float32(ground.grain * 0.45) * fine + np.float32(ground.blotch) * 0.5 * coarse
    if ground.stains:
        middle = (inner - outer) * 0.5
        oil = sample_tile(fractal_tile(13, 1.1, 2, 100), x, y, 17.0)
        tone = tone - ground.stains * 0.32 * np.exp(-((middle / 0.45) ** 2)) * np.clip(0.5 + 0.6 * oil, 0, 1.3)
        tone = tone + ground.stains * 0.10 * np.exp(-(((np.abs(middle) - 0.85) / 0.3) ** 2))
    if ground.patches:
        tone = tone * _patches(surface, ground.patches, across)
    if ground.seams:
        joint = pulse_coverage(station + 0.4 * coarse, 17.0, 0.06, surface.footprint * 2)
        seam = line_coverage(inner - 0.22, 0.05, across)
        tone = tone * (1 - ground.seams * 0.6 * np.maximum(joint, seam * np.clip(0.6 + coarse, 0, 1)))
    if ground.cracks:
        wide = sample_tile(crack_tile(51, 9), x, y, 24.0) * fade(surface.footprint, 0.14)
        net = sample_tile(crack_tile(61, 22), x, y, 11.0) * fade(surface.footprint, 0.06)
        tone = tone * (1 - ground.cracks * np.clip(0.75 * wide + 0.5 * net, 0, 0.85))
    return np.maximum(tone, 0.12)


def _patches(surface: Surface, strength: float, across: np.ndarray) -> np.ndarray:
    """Rectangular repairs, darker or lighter than the road, one chance per 11 m of lane."""
    station, inner, outer = surface.params
    cell = np.floor(station / 11.0)
    heading = np.floor(surface.frame[0] * 0.01)
    key = (cell.astype(np.int64) * 73856093) ^ (heading.astype(np.int64) * 19349663)
    key = key ^ (np.round(inner + outer, 1) * 10).astype(np.int64) * 83492791
    draw = [((key * m >> 7) & 1023).astype(np.float32) / 1023 for m in (2654435761, 2246822519, 3266489917)]
    length, width = 1.5 + 6.0 * draw[1], 0.8 + 2.6 * draw[2]
    there = draw[0] < 0.42
    s = line_coverage(station - (cell + 0.5) * 11.0, length, surface.footprint * 2)
    t = line_coverage(inner - 0.4 - width * 0.5 - draw[1], width, across)
    shade = np.where(draw[2] > 0.72, 0.35, -0.45)
    return 1 + strength * shade * s * t * there


def _unworn(point: np.ndarray, footprint: np.ndarray, wear: float) -> np.ndarray:
    """(N,) share of the paint that is left."""
    x, y, _ = point
    worn = sample_tile(fractal_tile(15, 0.9, 3, 240), x, y, 5.3) * fade(footprint, 0.4)
    stretch = sample_tile(fractal_tile(16, 1.5, 1, 30), x, y, 83.0)
    left = smoothstep(-0.5, 0.9, worn + 0.55 * stretch + 1.1 - 1.9 * wear)
    return (1 - wear) * 0.35 + (0.92 - 0.45 * wear) * left


def pavement_albedo(surface: Surface, look: Look) -> np.ndarray:
    """(3, N) linear albedo of the sidewalk: slabs with joints, and the kerb's top beside the road."""
    ground, colours = look.ground, look.colours
    across, along = pixel_extent(surface)
    station, inner, _ = surface.params
    x, y, _ = surface.point
    side = ground.slab_metres
    joints = np.maximum(pulse_coverage(station, side, 0.04, along), pulse_coverage(inner, side, 0.04, across))
    noise = sample_tile(fractal_tile(17, 1.0, 2, 160), x, y, 9.0)
    tone = (1 + (0.03 + 0.35 * ground.grain) * 0.5 * noise) * (1 - 0.35 * joints)
    kerb = line_coverage(inner, 0.36, across)
    return mixed(colours["slab"][:, None], colours["kerb"][:, None], kerb) * tone
