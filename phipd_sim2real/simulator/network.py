"""What a generated road network consists of: roads with their lanes, signals and painted objects, and junctions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from phipd_sim2real.simulator.circuit import Arc
from phipd_sim2real.simulator.paths import Cubic, Pose, end_of, height_at, length_of, start_of

TRAFFIC_LIGHT, STOP, YIELD, SPEED_LIMIT = "1000001", "206", "205", "274"
"""Signal types as CARLA reads them."""


class Lane(NamedTuple):
    """One lane of a cross-section.

    Attributes:
        kind: OpenDRIVE's lane type.
        width: metres.
        mark: type of the line at the outer edge, such as `solid`, `broken`, `none`.
        colour: of that line.
        end_width: metres at the road's end; None for the same as at its start.
    """

    kind: str
    width: float
    mark: str = "none"
    colour: str = "white"
    end_width: float | None = None


@dataclass(frozen=True)
class CrossSection:
    """Lanes of a road, each side from the centre outwards.

    Attributes:
        left: ids 1, 2, …, driven against the road's direction.
        right: ids -1, -2, …, driven along it.
        centre: type and colour of the line between them.
    """

    left: tuple[Lane, ...]
    right: tuple[Lane, ...]
    centre: tuple[str, str] = ("none", "white")

    def side(self, lane_id: int) -> tuple[Lane, ...]:
        """The lanes on the side of `lane_id`."""
        return self.right if lane_id < 0 else self.left

    def inner_edge(self, lane_id: int) -> float:
        """Lateral offset of a lane's edge towards the centre, metres, left positive."""
        reach = sum(lane.width for lane in self.side(lane_id)[: abs(lane_id) - 1])
        return -reach if lane_id < 0 else reach

    def half_width(self) -> float:
        """Metres from the centre to the farther border."""
        return max(sum(lane.width for lane in lanes) for lanes in (self.left, self.right))

    def driving(self, sign: int) -> list[int]:
        """Ids of one side's driving lanes, from the centre outwards."""
        return [sign * (k + 1) for k, lane in enumerate(self.side(sign)) if lane.kind == "driving"]


@dataclass(frozen=True)
class Signal:
    """A light or sign beside a road.

    Attributes:
        signal_id: unique in the map.
        kind: one of the signal types above.
        name: as CARLA's maps name it.
        s, t: where it stands, road coordinates, metres.
        along: whether it speaks to traffic along the road rather than against it.
        lanes: least and greatest id of the lanes that it rules.
        value: of a speed limit, km/h; -1 for none.
    """

    signal_id: int
    kind: str
    name: str
    s: float
    t: float
    along: bool
    lanes: tuple[int, int]
    value: float = -1.0


class Painted(NamedTuple):
    """A stop line or crosswalk: centre in road coordinates (m), metres across the road and along it."""

    name: str
    s: float
    t: float
    across: float
    along: float


@dataclass
class Road:
    """One road.

    Attributes:
        road_id: unique in the map.
        arcs: the reference line.
        heights: the reference line's height.
        section: its lanes.
        speed_kmh: the limit.
        junction: the junction's id, -1 outside junctions.
        before, after: what it links to: ("road" or "junction", id, contact point or "").
        links: lane id → (lane id before, lane id after), None for none, in a junction.
        references: signals that speak to this connecting road, by id.
        signals, paint: what stands beside it and lies on it.
    """

    road_id: int
    arcs: Sequence[Arc]
    heights: Sequence[Cubic]
    section: CrossSection
    speed_kmh: int
    junction: int = -1
    before: tuple[str, int, str] | None = None
    after: tuple[str, int, str] | None = None
    links: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    references: list[int] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    paint: list[Painted] = field(default_factory=list)

    @property
    def length(self) -> float:
        """Metres along the reference line."""
        return length_of(self.arcs)


@dataclass(frozen=True)
class End:
    """One end of a road as a junction sees it.

    Attributes:
        road: the road.
        at_start: whether it is the road's start.
    """

    road: Road
    at_start: bool

    @property
    def incoming(self) -> list[int]:
        """Ids of driving lanes that lead into the junction, from the centre outwards."""
        return self.road.section.driving(1 if self.at_start else -1)

    @property
    def outgoing(self) -> list[int]:
        """Ids of driving lanes that lead out of the junction, from the centre outwards."""
        return self.road.section.driving(-1 if self.at_start else 1)

    @property
    def pose_outward(self) -> Pose:
        """The end of the reference line, looking away from the junction."""
        pose = start_of(self.road.arcs) if self.at_start else end_of(self.road.arcs)
        return pose if self.at_start else pose.moved(0.0, turn=math.pi)

    def height_outward(self) -> tuple[float, float]:
        """Height (m), and slope (m/m) of a way out of the junction."""
        z, slope = height_at(self.road.heights, 0.0 if self.at_start else self.road.length)
        return z, slope if self.at_start else -slope

    def left_edge(self, lane_id: int, into: bool) -> Pose:
        """Where the driver's left edge of a lane ends, looking as traffic does: into the junction or out of it."""
        inner = self.road.section.inner_edge(lane_id)
        edge = self.pose_outward.moved(inner if self.at_start else -inner)
        return edge.moved(0.0, turn=math.pi) if into else edge


@dataclass
class Junction:
    """A junction's connections and lights.

    Attributes:
        junction_id: unique in the map.
        connections: (incoming road, connecting road, lane link from, lane link to).
        controllers: controller id → ids of the lights that are green together, in order of phases.
    """

    junction_id: int
    connections: list[tuple[int, int, int, int]] = field(default_factory=list)
    controllers: dict[int, list[int]] = field(default_factory=dict)


@dataclass
class Network:
    """A whole map, ready to be written."""

    name: str
    roads: list[Road] = field(default_factory=list)
    junctions: list[Junction] = field(default_factory=list)
