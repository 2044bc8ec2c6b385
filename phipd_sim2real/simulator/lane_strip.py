"""One lane of one lane section as two boundary polylines."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from phipd_sim2real.geometry import vector_from_carla

if TYPE_CHECKING:
    import carla

_SEAM = 1e-3
"""Metres between two lanes' boundaries from which on they are welded."""


class LaneEntry(NamedTuple):
    """A lane as the OpenDRIVE text lists it; `linked`: whether it names the lanes before and after it."""

    lane_id: int
    kind: str
    linked: tuple[bool, bool]


class Section(NamedTuple):
    """A lane section: stations where it starts and ends, metres, and its lanes but the one in the middle."""

    start: float
    end: float
    lanes: list[LaneEntry]

    def side(self, sign: int) -> list[LaneEntry]:
        """The lanes of one side, from the middle outwards."""
        return sorted((lane for lane in self.lanes if lane.lane_id * sign > 0), key=lambda lane: abs(lane.lane_id))


@dataclass(frozen=True)
class Strip:
    """One lane, sampled.

    Attributes:
        station: (n,) metres.
        inner, outer: (n, 3) world points of the boundary towards the road's middle and of the other.
        width: (n,) metres.
        tangent: (n, 2) unit vectors in the direction of driving.
        markings: (n,) pairs of carla.LaneMarking, inner and outer.
    """

    station: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    width: np.ndarray
    tangent: np.ndarray
    markings: list[tuple[carla.LaneMarking, carla.LaneMarking]]

    @property
    def outward(self) -> np.ndarray:
        """(n, 2) unit vectors away from the road's middle."""
        return np.column_stack([self.tangent[:, 1], -self.tangent[:, 0]])

    @property
    def middle(self) -> np.ndarray:
        """(n, 3) samples of the lane's centre."""
        return (self.inner + self.outer) / 2

    def welded(self, neighbour: Strip | None, facing: bool = False) -> Strip:
        """This strip with its inner boundary on its neighbour's, where a seam would show.

        Args:
            neighbour: the lane inside of this one, sampled at the same stations; None for none.
            facing: whether the neighbour lies beyond the road's middle.
        """
        if neighbour is None:
            return self
        edge = neighbour.inner if facing else neighbour.outer
        return replace(self, inner=edge) if np.abs(edge - self.inner).max() > _SEAM else self


def sections(road: ET.Element) -> Iterator[Section]:
    """Every lane section of a road that has any length."""
    found = road.find("lanes").findall("laneSection")
    starts = [float(section.get("s")) for section in found] + [float(road.get("length"))]
    for section, start, end in zip(found, starts[:-1], starts[1:], strict=True):
        if end - start > 0.05:
            yield Section(start, end, [_entry(lane) for lane in section.iter("lane") if lane.get("id") != "0"])


def _entry(lane: ET.Element) -> LaneEntry:
    linked = (lane.find("link/predecessor") is not None, lane.find("link/successor") is not None)
    return LaneEntry(int(lane.get("id")), lane.get("type"), linked)


def sample(road_map: carla.Map, road_id: int, lane_id: int, stations: np.ndarray) -> Strip | None:
    """Samples one lane; None where the map does not know it or it has no width.

    Lanes are level across, as `carla.Map` has them: it passes over superelevation, crossfall and the lanes' own
    heights, and clients stand cars on what it says.
    """
    rows, markings = [], []
    for station in stations:
        waypoint = road_map.get_waypoint_xodr(road_id, lane_id, float(station))
        if waypoint is None:
            return None
        forward = waypoint.transform.get_forward_vector()
        at = waypoint.transform.location
        rows.append((at.x, at.y, at.z, forward.x, forward.y, forward.z, waypoint.lane_width))
        markings.append((waypoint.left_lane_marking, waypoint.right_lane_marking))
    samples = np.array(rows)
    centre, forward = vector_from_carla(samples[:, :3]), vector_from_carla(samples[:, 3:6])
    width = samples[:, 6]
    if width.max() < 0.05:
        return None
    tangent = forward[:, :2] / np.linalg.norm(forward[:, :2], axis=1, keepdims=True)
    # A lane's driving direction has the road's middle on its left, whichever side it is on.
    left = np.column_stack([-tangent[:, 1], tangent[:, 0], np.zeros(len(tangent))])
    reach = left * (width / 2)[:, None]
    return Strip(stations, centre + reach, centre - reach, width, tangent, markings)
