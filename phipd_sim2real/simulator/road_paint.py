"""Stop lines and crosswalks that an OpenDRIVE map lists as objects."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.geometry import vector_from_carla
from phipd_sim2real.simulator.road_surface import RoadSurface
from phipd_sim2real.simulator.triangles import UP, Label, Material, Triangles, quads, triangles
from phipd_sim2real.simulator.verges import corners

if TYPE_CHECKING:
    import carla

LINE_WIDTHS = {"StopLine": 0.4, "SolidSingleWhite": 0.2}
"""Metres, by the names that CARLA's maps use."""
BAR, BAR_PERIOD, BORDER_LINE = 0.5, 1.0, 0.3
"""Metres: a zebra's bars and their period, and the lines of a simple crosswalk."""
_LIFT = 0.012
"""Metres above the road, so that the paint is what a ray meets."""


def road_paint(road_map: carla.Map, root: ET.Element, surface: RoadSurface, mark: int) -> Iterator[Triangles]:
    """Every painted object as a thin sheet on the road.

    Args:
        road_map: made from the same text.
        root: the OpenDRIVE document.
        surface: gives the height.
        mark: index of a lane mark that covers everything.
    """
    for road in root.findall("road"):
        for element in road.iter("object"):
            outline = [(float(c.get("u")), float(c.get("v"))) for c in element.iter("cornerLocal")]
            name = element.get("name", "")
            if len(outline) < 2 or not (name in LINE_WIDTHS or element.get("type") == "crosswalk"):
                continue
            frame = _frame(road_map, road, element)
            if frame is None:
                continue
            for left, right in _strips(name, np.array(outline)):
                sheet = _sheet(frame, left, right, surface, mark)
                if sheet is not None:
                    yield sheet


def _strips(name: str, outline: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(n, 2) edges of the painted strips in the object's own axes."""
    if name in LINE_WIDTHS:
        yield _line(outline[0], outline[-1], LINE_WIDTHS[name])
        return
    turned = np.ptp(outline[:, 1]) > np.ptp(outline[:, 0])
    polygon = outline[:, ::-1] if turned else outline
    for left, right in _simple(polygon) if "Simple" in name else _zebra(polygon):
        yield (left[:, ::-1], right[:, ::-1]) if turned else (left, right)


def _line(start: np.ndarray, end: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    along = end - start
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) / length * width / 2
    path = start + np.linspace(0, 1, max(2, math.ceil(length / 0.8) + 1))[:, None] * along
    return path + across, path - across


def _zebra(polygon: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    first, last = polygon[:, 0].min(), polygon[:, 0].max()
    for u in np.arange(first + 0.3, last - BAR, BAR_PERIOD):
        span = _span(polygon, u + BAR / 2)
        if span is not None:
            v = np.linspace(*span, 5)
            yield np.column_stack([np.full(5, u), v]), np.column_stack([np.full(5, u + BAR), v])


def _simple(polygon: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two lines along the long sides."""
    at = np.arange(polygon[:, 0].min() + 0.1, polygon[:, 0].max() - 0.1, 0.8)
    spans = [(u, *span) for u in at if (span := _span(polygon, u)) is not None]
    if len(spans) < 2:
        return
    u, low, high = np.array(spans).T
    for v, inwards in ((low, BORDER_LINE), (high, -BORDER_LINE)):
        yield np.column_stack([u, v]), np.column_stack([u, v + inwards])


def _span(polygon: np.ndarray, u: float) -> tuple[float, float] | None:
    """Least and greatest v of a polygon at one u."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    crossed = (a[:, 0] - u) * (b[:, 0] - u) < 0
    if crossed.sum() < 2:
        return None
    a, b = a[crossed], b[crossed]
    v = a[:, 1] + (u - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    return float(v.min()), float(v.max())


def _frame(road_map: carla.Map, road: ET.Element, element: ET.Element) -> np.ndarray | None:
    """(3, 3): the object's place, and its u and v axes, in the world; None where the road has no lane to tell."""
    s, t = float(element.get("s")), float(element.get("t"))
    length = float(road.get("length"))
    at = min(max(s, 0.01), length - 0.01)
    reference = _reference(road_map, road, at)
    if reference is None:
        return None
    point, heading = reference
    ahead = np.array([math.cos(heading), math.sin(heading), 0.0])
    left = np.array([-ahead[1], ahead[0], 0.0])
    turn = heading + float(element.get("hdg") or 0.0)
    u = np.array([math.cos(turn), math.sin(turn), 0.0])
    return np.stack([point + left * t + ahead * (s - at), u, np.array([-u[1], u[0], 0.0])])


def _reference(road_map: carla.Map, road: ET.Element, s: float) -> tuple[np.ndarray, float] | None:
    """Point and heading of a road's reference line, told by a lane beside it."""
    offset = _lane_offset(road, s)
    for lane in (-1, 1):
        waypoint = road_map.get_waypoint_xodr(int(road.get("id")), lane, s)
        if waypoint is not None:
            at, forward = waypoint.transform.location, waypoint.transform.get_forward_vector()
            point = vector_from_carla(np.array([at.x, at.y, at.z]))
            heading = math.atan2(-forward.y, forward.x) + (math.pi if lane > 0 else 0.0)
            left = np.array([-math.sin(heading), math.cos(heading), 0.0])
            return point - left * (offset + math.copysign(waypoint.lane_width / 2, lane)), heading
    return None


def _lane_offset(road: ET.Element, s: float) -> float:
    pieces = [p for p in road.iter("laneOffset") if float(p.get("s")) <= s]
    if not pieces:
        return 0.0
    a, b, c, d = (float(pieces[-1].get(key)) for key in "abcd")
    ds = s - float(pieces[-1].get("s"))
    return a + ds * (b + ds * (c + ds * d))


def _sheet(frame: np.ndarray, left: np.ndarray, right: np.ndarray, surface: RoadSurface, mark: int) -> Triangles | None:
    """A strip of paint laid on the road; None where there is no road."""
    place, axes = frame[0], frame[1:]
    edges = [place + edge @ axes for edge in (left, right)]
    heights = [surface.heights(edge, 1.5) for edge in edges]
    edges = [np.column_stack([edge[:, :2], z]) + UP * _LIFT for edge, z in zip(edges, heights, strict=True)]
    shape = corners(*edges)
    shape = shape[np.isfinite(shape).all((1, 2))]
    if not len(shape):
        return None
    return triangles(
        quads(shape),
        Material.ROAD,
        Label.ROADS,
        params=(8.5, 0.0, 20.0),
        marks=np.array([mark, 0]),
        frame=(axes[0, 0], axes[0, 1], 0.0),
    )
