"""What the server asks of a map beyond its roads: lanes under things, signals, and what stands beside the roads."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from phipd_sim2real.simulator.lanes import Lanes
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.road_mesh import KERB_HEIGHT
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.signals import RoadSignal, read_signals
from phipd_sim2real.simulator.surroundings import Surroundings

if TYPE_CHECKING:
    import carla


class MapView:
    """One map; each part is made when it is first asked for.

    Attributes:
        map: its name and OpenDRIVE text.
    """

    def __init__(self, road_map: RoadMap, roads: Roads, seed: int) -> None:
        """
        Args:
            road_map: the map.
            roads: the same, for speed limits.
            seed: of its scenery.
        """
        self.map = road_map
        self._roads = roads
        self._seed = seed

    @cached_property
    def carla_map(self) -> carla.Map:
        """The map as the client sees it."""
        import carla

        return carla.Map(self.map.name, self.map.xodr)

    @cached_property
    def lanes(self) -> Lanes:
        """The driving lanes."""
        return Lanes(self.carla_map, self._roads)

    @cached_property
    def signals(self) -> tuple[RoadSignal, ...]:
        """Traffic lights and signs."""
        return read_signals(self.carla_map, self.map.xodr)

    @cached_property
    def surroundings(self) -> Surroundings:
        """Buildings, fences, poles and plants."""
        return Surroundings(self.map, self._seed, self.lanes)

    def walking_height(self, x: float, y: float, z: float) -> float:
        """Height of the ground under a walker, metres: a sidewalk stands a kerb above its road."""
        import carla

        lane = self.carla_map.get_waypoint(carla.Location(x, y, z), lane_type=carla.LaneType.Any)
        raised = lane is not None and lane.lane_type == carla.LaneType.Sidewalk
        return self.lanes.height(x, y, z) + (KERB_HEIGHT if raised else 0.0)
