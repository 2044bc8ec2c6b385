"""Street lights, utility poles, signs, delineators and fences."""

from __future__ import annotations

import numpy as np

from phipd_sim2real.simulator.triangles import (
    UP,
    Label,
    Material,
    Triangles,
    concatenate,
    prism,
    quads,
    rectangle,
    regular_polygon,
    triangles,
)


def _upright(yaw: float, base: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Turns (T, 3, 3) local metres (x to the road) by `yaw` and moves them to `base`."""
    c, s = np.cos(yaw), np.sin(yaw)
    return shape @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + base


def street_light(base: np.ndarray, yaw: float) -> Triangles:
    """A 7 m mast with an arm over the road; `yaw` points to the road.

    The triangles of its head carry params 1, for they glow, and the place that they shine from as their frame.
    """
    mast = prism(regular_polygon(6, 0.11), -0.5, 7.0, taper=0.6)
    arm = prism(rectangle(1.8, 0.1) + np.array([0.8, 0]), 6.9, 7.02)
    head = prism(rectangle(0.75, 0.3) + np.array([1.8, 0]), 6.82, 7.0)
    shape = _upright(yaw, base, np.concatenate([mast, arm, head]))
    glows = np.arange(len(shape)) >= len(mast) + len(arm)
    shines_from = _upright(yaw, base, np.array([[[1.8, 0.0, 6.8]]]))[0]
    return triangles(
        shape,
        Material.METAL,
        Label.POLES,
        params=glows[:, None, None],
        variate=(0.2, 0.2, 0.2),
        frame=glows[:, None] * shines_from,
    )


def utility_pole(base: np.ndarray, yaw: float) -> Triangles:
    """A wooden 9 m pole with two cross arms across the road's direction."""
    mast = prism(regular_polygon(6, 0.15), -0.5, 9.0, taper=0.75)
    arms = [prism(rectangle(0.12, 1.9), z, z + 0.14) for z in (7.7, 8.5)]
    shape = _upright(yaw, base, np.concatenate([mast, *arms]))
    return triangles(shape, Material.TRUNK, Label.POLES, variate=(0.5, 0.5, 0.5))


def road_sign(base: np.ndarray, yaw: float, kind: int) -> Triangles:
    """A round, triangular or square sign on a post; `yaw` is where its face looks."""
    post = _upright(yaw, base, prism(regular_polygon(5, 0.045), -0.4, 2.6))
    outline = regular_polygon((10, 3, 4)[kind], 0.42)
    turn = (0, np.pi / 2, np.pi / 4)[kind]
    c, s = np.cos(turn), np.sin(turn)
    outline = outline @ np.array([[c, -s], [s, c]]).T
    # The plate stands upright: the outline's axes become left and up; params carry them for the print.
    plate = np.column_stack([np.full(len(outline), 0.06), outline[:, 0], outline[:, 1] + 2.5])
    flat = np.column_stack([np.full(len(outline), 0.42), outline])
    fan = [np.stack([np.broadcast_to(p[0], (len(p) - 2, 3)), p[1:-1], p[2:]], axis=1) for p in (plate, flat)]
    face = triangles(
        _upright(yaw, base, fan[0]),
        Material.SIGN,
        Label.TRAFFIC_SIGNS,
        params=fan[1],
        variate=(kind / 3 + 0.1, 0, 0),
    )
    return concatenate([triangles(post, Material.METAL, Label.POLES, variate=(0.5, 0.5, 0.5)), face])


def delineator(base: np.ndarray, yaw: float) -> Triangles:
    """A metre-high white post beside the road."""
    post = _upright(yaw, base, prism(regular_polygon(4, 0.07), -0.3, 1.0, taper=0.8))
    return triangles(post, Material.METAL, Label.POLES, variate=(0.95, 0.95, 0.95))


def fence(points: np.ndarray, height: float, variate: np.ndarray) -> Triangles:
    """A board fence or low wall along (n, 3) ground points."""
    low, high = points - UP * 0.4, points + UP * height
    run = np.concatenate([[0], np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1).cumsum()])
    params = np.stack(
        [np.column_stack([run, np.full(len(run), z), np.full(len(run), run[-1])]) for z in (0, height)],
        axis=1,
    )
    corners = np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1)
    along = np.stack([params[:-1, 0], params[1:, 0], params[1:, 1], params[:-1, 1]], axis=1)
    step = np.diff(points[:, :2], axis=0)
    tangent = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-6)
    frame = np.repeat(np.column_stack([tangent, np.full(len(step), height)]), 2, axis=0)
    return triangles(quads(corners), Material.TRUNK, Label.FENCES, params=quads(along), variate=variate, frame=frame)
