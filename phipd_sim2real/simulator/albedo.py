"""What every material looks like under even light: its albedo, point by point."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.simulator.pavement import pavement_albedo, road_albedo
from phipd_sim2real.simulator.signal_heads import lens_albedo
from phipd_sim2real.simulator.surface import Surface, columns, dot
from phipd_sim2real.simulator.textures import fade, fractal_tile, mixed, pulse_coverage, sample_tile, smoothstep
from phipd_sim2real.simulator.triangles import Material

if TYPE_CHECKING:
    from phipd_sim2real.simulator.shading import Shader


def _palette(colours: np.ndarray, variate: np.ndarray) -> np.ndarray:
    """(3, N) colour of each point from a palette by a random number in [0, 1)."""
    return columns(colours, np.minimum((variate * len(colours)).astype(np.intp), len(colours) - 1))


def _soil(shader: Shader, surface: Surface) -> np.ndarray:
    """Open ground: three colours mixed by coarse noise, with fine texture near by."""
    look, soil = shader.look.ground, shader.look.colours["soil"]
    x, y, _ = surface.point
    coarse = sample_tile(fractal_tile(21, 1.6, 1, 60), x, y, 61.0)
    fine = sample_tile(fractal_tile(22, 0.7, 6, 220), x, y, 7.3) * fade(surface.footprint, 0.12)
    middle = sample_tile(fractal_tile(23, 1.0, 4, 100), x, y, 29.0) * fade(surface.footprint, 1.5)
    first, second, third = soil[:, :, None]
    colour = mixed(first, second, smoothstep(-0.9, 0.9, coarse + 0.5 * middle))
    colour = mixed(colour, third, smoothstep(0.5, 1.4, middle - 0.4 * coarse))
    return colour * (1 + np.float32(look.meadow) * (0.6 * fine + 0.4 * middle))


def _wall(shader: Shader, surface: Surface) -> np.ndarray:
    """Plaster or brick with a grid of windows; the grid is filtered exactly."""
    look, colours = shader.look.facade, shader.look.colours
    along, height, length = surface.params
    variate = surface.variate
    colour = _palette(colours["walls"], variate[0]) * (0.85 + 0.3 * variate[1])
    noise = sample_tile(fractal_tile(31, 1.2, 2, 120), along + 31 * variate[1], height, 11.0)
    colour = colour * (1 + 0.05 * noise * (1 + 2 * look.streaks))
    if look.bricks:
        gap = pulse_coverage(height, 0.24, 0.04, surface.footprint) - 1 / 6
        colour = colour * (1 - look.bricks * gap)
    if look.streaks:
        rain = sample_tile(fractal_tile(32, 1.0, 3, 160), along * 6, height * 0.5, 16.0)
        below = np.clip(1 - np.abs(surface.frame[2] - height) / 3.5, 0, 1) + np.clip(0.8 - height * 0.5, 0, 1)
        colour = colour * (1 - look.streaks * 0.5 * below * (0.6 + 0.4 * rain))
    glazed, frame, cell = windows(shader, surface, along, height, length)
    colour = mixed(colour, colours["frame"][:, None], frame)
    pane = colours["glass"][:, None] * (0.6 + 0.8 * cell)
    pane += np.float32(0.16) * (0.3 + cell) * shader.light.horizon[:, None]
    colour = mixed(colour, pane, glazed)
    # Corners near the ground get less of the sky.
    return colour * np.clip(0.72 + 0.14 * height, 0.6, 1)


def windows(
    shader: Shader, surface: Surface, along: np.ndarray, height: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coverage by panes, by frames only, and a random number per window."""
    look, footprint = shader.look.facade, surface.footprint
    slant = np.abs(dot(surface.direction[:2], surface.frame[:2]))
    across = footprint / np.maximum(np.sqrt(1 - slant * slant), 0.08)
    bays = np.maximum(np.round(length / look.bay), 1)
    bay = along / np.maximum(length, 0.1) * bays
    storey = height / look.floor
    width, tall = look.window
    inside = (storey > 0) & (storey < np.floor(surface.frame[2] / look.floor))

    def grid(grow: float) -> np.ndarray:
        wide, high = (width + grow) / look.bay, (tall + grow) / look.floor
        columns = pulse_coverage(bay - (1 - wide) / 2, 1.0, wide, across / look.bay)
        rows = pulse_coverage(storey - (1.1 - grow / 2) / look.floor, 1.0, high, footprint / look.floor)
        return columns * rows * inside

    pane = grid(0.0)
    seed = np.floor(bay).astype(np.int64) * 7919 + np.floor(storey).astype(np.int64) * 104729
    seed = seed + (surface.variate[2] * 65536).astype(np.int64)
    cell = ((seed * 2654435761 >> 8) & 255).astype(np.float32) / 255
    # Curtains and blinds break the even glass near by; far away the mean remains.
    cell = 0.5 + (cell - 0.5) * fade(footprint, 1.2)
    return pane, np.maximum(grid(0.22) - pane, 0), cell


def _roof(shader: Shader, surface: Surface) -> np.ndarray:
    colour = _palette(shader.look.colours["roofs"], surface.variate[1])
    rows = pulse_coverage(surface.params[1], 0.35, 0.08, surface.footprint) - 0.23
    noise = sample_tile(fractal_tile(33, 1.2, 2, 120), surface.params[0], surface.params[1], 9.0)
    return colour * (1 - 0.35 * rows + 0.08 * noise)


def _crown(shader: Shader, surface: Surface) -> np.ndarray:
    """Leaves: the object's colour, mottled, darker inside and below."""
    look = shader.look.plants
    colour = _palette(shader.look.colours["crowns"], surface.variate[0])
    colour = colour * (0.82 + 0.36 * surface.variate[1])
    x, y, z = surface.point
    mottle = sample_tile(fractal_tile(41, 0.8, 4, 200), x + z, y - z, 6.0)
    mottle = mottle * fade(surface.footprint, 0.5)
    offset = (surface.point - surface.frame) / np.maximum(surface.params[0], 0.1)
    depth = np.clip(np.sqrt(dot(offset, offset)), 0.3, 1.1)
    shade = (0.35 + 0.65 * depth) * np.clip(0.86 + 0.28 * offset[2], 0.5, 1.15)
    return colour * (shade * np.maximum(1 + look.texture * mottle, 0.2))


def _hedge(shader: Shader, surface: Surface) -> np.ndarray:
    x, y, z = surface.point
    mottle = sample_tile(fractal_tile(42, 0.6, 6, 220), x - y, z * 1.3, 4.0)
    mottle = mottle * fade(surface.footprint, 0.3)
    tone = (0.8 + 0.4 * surface.variate[0]) * np.maximum(1 + (0.12 + shader.look.plants.texture) * mottle, 0.25)
    return shader.look.colours["hedge"][:, None] * tone


def _bark(shader: Shader, surface: Surface) -> np.ndarray:
    """Trunks, poles and boards of wood."""
    x, y, z = surface.point
    grain = sample_tile(fractal_tile(43, 0.9, 4, 160), (x + y) * 4, z * 0.6, 5.0)
    board = pulse_coverage(surface.params[0], 0.16, 0.02, surface.footprint) * (surface.params[2] > 0)
    tone = (0.75 + 0.5 * surface.variate[0]) * (1 + 0.15 * grain) * (1 - 0.5 * board)
    return shader.look.colours["bark"][:, None] * tone


def _metal(shader: Shader, surface: Surface) -> np.ndarray:
    return surface.variate * np.float32(0.6) + np.float32(0.08)


def _sign(shader: Shader, surface: Surface) -> np.ndarray:
    """Round: red ring; triangle: red rim; square: blue with a white mark."""
    radius = np.hypot(surface.params[1], surface.params[2]) / 0.42
    white, red, blue = np.float32([[0.8, 0.8, 0.8], [0.55, 0.03, 0.03], [0.03, 0.12, 0.5]])[:, :, None]
    square = surface.variate[0] > 0.6
    return np.where(square, np.where(radius < 0.35, white, blue), np.where(radius > 0.62, red, white))


def _own_colour(shader: Shader, surface: Surface) -> np.ndarray:
    return surface.variate * np.float32(0.85) + np.float32(0.015)


def _constant(*rgb: float) -> Callable[[Shader, Surface], np.ndarray]:
    colour = np.array(rgb, np.float32)[:, None]
    return lambda shader, surface: colour


ALBEDO: dict[Material, Callable[[Shader, Surface], np.ndarray]] = {
    Material.ROAD: lambda shader, surface: road_albedo(surface, shader.look, shader.marks, shader.light),
    Material.SIDEWALK: lambda shader, surface: pavement_albedo(surface, shader.look),
    Material.KERB: lambda shader, surface: shader.look.colours["kerb"][:, None],
    Material.VERGE: _soil,
    Material.TERRAIN: _soil,
    Material.WALL: _wall,
    Material.ROOF: _roof,
    Material.TRUNK: _bark,
    Material.CROWN: _crown,
    Material.HEDGE: _hedge,
    Material.METAL: _metal,
    Material.SIGN: _sign,
    Material.PAINTWORK: _own_colour,
    Material.GLASS: _constant(0.02, 0.025, 0.03),
    Material.TYRE: _constant(0.018, 0.018, 0.02),
    Material.HEADLIGHT: _constant(0.75, 0.75, 0.7),
    Material.REARLIGHT: _constant(0.42, 0.02, 0.015),
    Material.CLOTH: _own_colour,
    Material.SKIN: _constant(0.5, 0.3, 0.2),
    Material.SIGNAL_LAMP: lambda shader, surface: lens_albedo(surface.frame),
}
"""(3, N) linear albedo of a surface, by its material; (3, 1) where it is the same everywhere."""
