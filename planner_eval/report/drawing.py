"""Trajectories on pictures and seen from above, and pictures as data URLs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.waymo import Calibration, project

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

LOG_COLOUR = "#00C48C"
VEHICLE_HALF_WIDTH_M = 0.9
SUBPIXEL_BITS = 4
LEAST_WIDTH_PX = 720
VIEW_BEHIND_M, VIEW_MARGIN_M = 8.0, 4.0
TICK_WIDTH_M = 6.0
VIEW_LEAST_HEIGHT = 0.36
"""Least height of the view from above, as a share of its width."""


@dataclass(frozen=True, eq=False)
class Line:
    """A trajectory to draw.

    Attributes:
        name: for the legend.
        colour: "#RRGGBB".
        xy: (20, 2) metres, vehicle frame at t = 0.
    """

    name: str
    colour: str
    xy: Array


def data_url(image: Image, quality: int = 88) -> str:
    """A picture as a JPEG data URL."""
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def draw_on_image(image: Image, calibration: Calibration, future: Array, lines: Sequence[Line]) -> Image:
    """Draws the logged future as a band as wide as a car and plans as lines, on the ground.

    Args:
        image: (H, W, 3) RGB; enlarged where it is small, so that lines stay fine.
        calibration: of that picture.
        future: (20, 2) metres, logged.
        lines: plans.
    """
    scale = max(1, round(LEAST_WIDTH_PX / image.shape[1]))
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    band = _pixels(_band(_dense(future)), calibration, scale)
    if len(band) > 2:
        shaded = canvas.copy()
        cv2.fillPoly(shaded, [band], _rgb(LOG_COLOUR), cv2.LINE_AA, SUBPIXEL_BITS)
        canvas = cv2.addWeighted(shaded, 0.35, canvas, 0.65, 0)
    for line in lines:
        pixels = _pixels(_dense(line.xy), calibration, scale)
        for thickness, colour in ((scale + 3, (255, 255, 255)), (scale + 1, _rgb(line.colour))):
            cv2.polylines(canvas, [pixels], False, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    return canvas


def bird_eye_svg(future: Array, past: Array, lines: Sequence[Line]) -> str:
    """Trajectories from above as SVG: x forward is to the right, y left is up, a grid line every 10 m.

    Args:
        future: (20, 2) metres, logged.
        past: (16, 2) metres, logged.
        lines: plans.
    """
    ahead = np.concatenate([np.zeros((1, 2)), future, *(line.xy for line in lines)])
    ahead = ahead[np.isfinite(ahead).all(axis=1)]
    x0, x1 = -VIEW_BEHIND_M, ahead[:, 0].max() + VIEW_MARGIN_M
    low, high = ahead[:, 1].min() - VIEW_MARGIN_M, ahead[:, 1].max() + VIEW_MARGIN_M
    middle, half = (low + high) / 2, max((high - low) / 2, VIEW_LEAST_HEIGHT * (x1 - x0) / 2)
    top, bottom = -(middle + half), -(middle - half)
    parts = [f'<svg class="bev" viewBox="{x0:.2f} {top:.2f} {x1 - x0:.2f} {bottom - top:.2f}">']
    for x in np.arange(np.ceil(x0 / 10), np.floor(x1 / 10) + 1) * 10:
        parts.append(f'<path d="M{x:.0f} {top:.2f}V{bottom:.2f}" class="grid"/>')
        if x + TICK_WIDTH_M < x1:
            parts.append(f'<text x="{x + 0.4:.1f}" y="{bottom - 0.6:.2f}" class="tick">{int(x)} m</text>')
    parts.append(f'<path d="{_path(past)}" class="past"/>')
    parts.append(f'<path d="{_path(_from_here(future))}" class="log" stroke="{LOG_COLOUR}"/>')
    for line in lines:
        parts.append(f'<path d="{_path(_from_here(line.xy))}" class="plan" stroke="{line.colour}"/>')
        parts += [f'<circle cx="{x:.2f}" cy="{-y:.2f}" r=".5" fill="{line.colour}"/>' for x, y in line.xy[3::4]]
    parts.append('<rect x="-1" y="-.95" width="4.7" height="1.9" rx=".5" class="ego"/></svg>')
    return "".join(parts)


def _path(xy: Array) -> str:
    return "M" + "L".join(f"{x:.2f} {-y:.2f}" for x, y in xy)


def _from_here(xy: Array) -> Array:
    return np.concatenate([np.zeros((1, 2)), xy])


def _dense(xy: Array) -> Array:
    """(n, 2): from the vehicle to the last waypoint, a point every 2 % of the time; x at least 2 m."""
    steps = np.linspace(0, len(xy), 101)
    knots = _from_here(xy)
    dense = np.stack([np.interp(steps, np.arange(len(knots)), column) for column in knots.T], axis=1)
    return dense[dense[:, 0] >= 2.0]


def _band(centre: Array) -> Array:
    """(2 n, 2) outline of a band of a car's width around an (n, 2) line."""
    if len(centre) < 2:
        return np.zeros((0, 2))
    forward = np.gradient(centre, axis=0)
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-6)
    left = VEHICLE_HALF_WIDTH_M * np.stack([-forward[:, 1], forward[:, 0]], axis=1)
    return np.concatenate([centre + left, (centre - left)[::-1]])


def _pixels(xy: Array, calibration: Calibration, scale: int) -> NDArray[np.int32]:
    """Fixed-point pixels (for OpenCV's sub-pixel drawing) of the points that the camera sees."""
    points = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
    pixels, valid = project(points, calibration)
    return np.rint(pixels[valid] * scale * 2**SUBPIXEL_BITS).astype(np.int32)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
