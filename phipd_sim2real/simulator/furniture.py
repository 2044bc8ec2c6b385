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


def upright(yaw: float, base: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Turns (T, 3, 3) local metres (x to the road) by `yaw` and moves them to `base`."""
    c, s = np.cos(yaw), np.sin(yaw)
    return shape @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T + base


def street_light(base: np.ndarray, yaw: float) -> Triangles:
    """A 7 m mast with an arm over the road; `yaw` points to the road."""
    mast = prism(regular_polygon(6, 0.11), -0.5, 7.0, taper=0.6)
    arm = prism(rectangle(1.8, 0.1) + np.array([0.8, 0]), 6.9, 7.02)
    head = prism(rectangle(0.75, 0.3) + np.array([1.8, 0]), 6.82, 7.0)
    return _lamp(base, yaw, np.concatenate([mast, arm]), head, (1.8, 0.0, 6.8))


def utility_pole(base: np.ndarray, yaw: float) -> Triangles:
    """A wooden 9 m pole with two cross arms across the road's direction, and a lamp over the road as street lights'."""
    mast = prism(regular_polygon(6, 0.15), -0.5, 9.0, taper=0.75)
    arms = [prism(rectangle(0.12, 1.9), z, z + 0.14) for z in (7.7, 8.5)]
    shape = upright(yaw, base, np.concatenate([mast, *arms]))
    wood = triangles(shape, Material.TRUNK, Label.POLES, variate=(0.5, 0.5, 0.5))
    bracket = prism(rectangle(1.3, 0.06) + np.array([0.7, 0]), 6.5, 6.56)
    head = prism(rectangle(0.4, 0.26) + np.array([1.45, 0]), 6.4, 6.56)
    return concatenate([wood, _lamp(base, yaw, bracket, head, (1.45, 0.0, 6.38))])


def _lamp(
    base: np.ndarray, yaw: float, holder: np.ndarray, head: np.ndarray, shines_from: tuple[float, float, float]
) -> Triangles:
    """Metal with a head that glows: its triangles carry params 1 and the place that they shine from as their frame."""
    glows = np.arange(len(holder) + len(head)) >= len(holder)
    return triangles(
        upright(yaw, base, np.concatenate([holder, head])),
        Material.METAL,
        Label.POLES,
        params=glows[:, None, None],
        variate=(0.2, 0.2, 0.2),
        frame=glows[:, None] * upright(yaw, base, np.array([[shines_from]]))[0],
    )


def stop_sign(base: np.ndarray, yaw: float) -> Triangles:
    """A red octagon with a white rim and a white bar."""
    faces = [
        (disc(0.05, 2.5, 0.42, 8, np.pi / 8), (0.85, 0.85, 0.85)),
        (disc(0.06, 2.5, 0.38, 8, np.pi / 8), (0.6, 0.02, 0.02)),
    ]
    faces.append((plate(0.07, 2.5, 0.5, 0.14), (0.9, 0.9, 0.9)))
    return _sign(base, yaw, faces)


def yield_sign(base: np.ndarray, yaw: float) -> Triangles:
    """A white triangle on its point, with a red rim."""
    faces = [
        (disc(0.05, 2.5, 0.46, 3, -np.pi / 2), (0.6, 0.02, 0.02)),
        (disc(0.06, 2.5, 0.27, 3, -np.pi / 2), (0.85, 0.85, 0.85)),
    ]
    return _sign(base, yaw, faces)


def limit_sign(base: np.ndarray, yaw: float, limit: int) -> Triangles:
    """A white disc with a red ring and the digits of a speed limit."""
    faces = [(disc(0.05, 2.5, 0.4, 16), (0.6, 0.02, 0.02)), (disc(0.06, 2.5, 0.32, 16), (0.85, 0.85, 0.85))]
    text = str(limit)
    for place, digit in enumerate(text):
        # Read from the front, the first digit is on the left, which is the plate's own right (-y).
        middle = 0.19 * ((len(text) - 1) / 2 - place)
        strokes = [plate(0.07, 2.5 + z, w, h, -middle + y) for y, z, w, h in _strokes(int(digit))]
        faces.append((np.concatenate(strokes), (0.02, 0.02, 0.02)))
    return _sign(base, yaw, faces)


_BARS = ((0, 0.13, 0.14, 0.04), (0, 0, 0.14, 0.04), (0, -0.13, 0.14, 0.04))
_POSTS = tuple((y, z, 0.035, 0.15) for z in (0.065, -0.065) for y in (-0.06, 0.06))
_LIT = ("02 0123", " 13", "012 12", "012 13", "1 013", "012 03", "012 023", "0 13", "012 0123", "012 013")
"""Which bars (top to bottom) and which posts (as one reads) each digit of a seven-segment display shows."""


def _strokes(digit: int) -> list[tuple[float, float, float, float]]:
    """Left, up, width and height of a digit's strokes about its middle, metres."""
    bars, posts = _LIT[digit].split(" ")
    return [_BARS[int(k)] for k in bars] + [_POSTS[int(k)] for k in posts]


def _sign(base: np.ndarray, yaw: float, faces: list[tuple[np.ndarray, tuple[float, float, float]]]) -> Triangles:
    post = upright(yaw, base, prism(regular_polygon(5, 0.045), -0.4, 2.6))
    parts = [triangles(post, Material.METAL, Label.POLES, variate=(0.5, 0.5, 0.5))]
    for shape, colour in faces:
        parts.append(triangles(upright(yaw, base, shape), Material.PAINTWORK, Label.TRAFFIC_SIGNS, variate=colour))
    return concatenate(parts)


def disc(ahead: float, height: float, radius: float, sides: int, turn: float = 0.0) -> np.ndarray:
    """An upright polygon that looks along x, (T, 3, 3)."""
    angle = turn + np.arange(sides) * (2 * np.pi / sides)
    rim = np.column_stack([np.full(sides, ahead), radius * np.cos(angle), height + radius * np.sin(angle)])
    return np.stack([np.broadcast_to(rim[0], (sides - 2, 3)), rim[1:-1], rim[2:]], axis=1)


def plate(ahead: float, height: float, width: float, tall: float, left: float = 0.0) -> np.ndarray:
    """An upright rectangle that looks along x, (2, 3, 3)."""
    outline = rectangle(width, tall)
    return quads(np.column_stack([np.full(4, ahead), outline[:, 0] + left, outline[:, 1] + height])[None])


def road_sign(base: np.ndarray, yaw: float, kind: int) -> Triangles:
    """A round, triangular or square sign on a post; `yaw` is where its face looks."""
    post = upright(yaw, base, prism(regular_polygon(5, 0.045), -0.4, 2.6))
    outline = regular_polygon((10, 3, 4)[kind], 0.42)
    turn = (0, np.pi / 2, np.pi / 4)[kind]
    c, s = np.cos(turn), np.sin(turn)
    outline = outline @ np.array([[c, -s], [s, c]]).T
    # The plate stands upright: the outline's axes become left and up; params carry them for the print.
    plate = np.column_stack([np.full(len(outline), 0.06), outline[:, 0], outline[:, 1] + 2.5])
    flat = np.column_stack([np.full(len(outline), 0.42), outline])
    fan = [np.stack([np.broadcast_to(p[0], (len(p) - 2, 3)), p[1:-1], p[2:]], axis=1) for p in (plate, flat)]
    face = triangles(
        upright(yaw, base, fan[0]),
        Material.SIGN,
        Label.TRAFFIC_SIGNS,
        params=fan[1],
        variate=(kind / 3 + 0.1, 0, 0),
    )
    return concatenate([triangles(post, Material.METAL, Label.POLES, variate=(0.5, 0.5, 0.5)), face])


def delineator(base: np.ndarray, yaw: float) -> Triangles:
    """A metre-high white post beside the road."""
    post = upright(yaw, base, prism(regular_polygon(4, 0.07), -0.3, 1.0, taper=0.8))
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
