"""Settings of an episode, and everything that a reload forgets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from phipd_sim2real.simulator.actors import Actor
from phipd_sim2real.simulator.collisions import Collision
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.surroundings import Surroundings
from phipd_sim2real.simulator.traffic_lights import TrafficLights
from phipd_sim2real.simulator.wire import optional

CLEAR_NOON = (5.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0)
"""Weather of a fresh episode, in the order of CARLA's WeatherParameters."""

SETTLING_TICKS = 3
"""A client's apply_settings ticks once or twice by itself."""


class EpisodeSettings(NamedTuple):
    """CARLA's episode settings in the wire's order; `fixed_delta` in seconds, None for free running."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta: float | None = None
    substepping: bool = True
    max_substep_delta: float = 0.01
    max_substeps: int = 10
    max_culling: float = 0.0
    deterministic_ragdolls: bool = True
    tile_stream_distance: float = 3000.0
    actor_active_distance: float = 2000.0
    spectator_as_ego: bool = True

    @classmethod
    def read(cls, fields: Sequence[Any]) -> EpisodeSettings:
        """From the message."""
        settings = cls(*fields)
        delta = settings.fixed_delta
        return settings._replace(fixed_delta=(delta[1] or None) if delta and delta[0] else None)

    def wire(self) -> list[Any]:
        """As the message has it."""
        return list(self._replace(fixed_delta=optional(self.fixed_delta)))


@dataclass
class Episode:
    """Everything that a reload forgets.

    Attributes:
        episode_id: grows with every load.
        map: the map and its OpenDRIVE text.
        roads: the same, ready for questions.
        surroundings: what stands beside the roads.
        actors: by id, in order of birth.
        lights: the map's traffic lights.
        weather: CARLA's 14 parameters.
        collisions: of the last tick, in order.
        ticks: since the clock started.
        elapsed_s: simulated seconds.
        inhabited: whether a client ever spawned anything. Until then the clock stands still, so that nothing
            depends on how many empty frames went by before; only where a map has traffic lights does it run
            once a synchronous client has ticked more often than its settings do.
        empty_ticks: synchronous ticks before that.
        ids: of actors to come.
    """

    episode_id: int
    map: RoadMap
    roads: Roads
    surroundings: Surroundings
    actors: dict[int, Actor] = field(default_factory=dict)
    lights: TrafficLights = field(default_factory=lambda: TrafficLights(()))
    weather: tuple[float, ...] = CLEAR_NOON
    collisions: list[Collision] = field(default_factory=list)
    ticks: int = 0
    elapsed_s: float = 0.0
    inhabited: bool = False
    empty_ticks: int = 0
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def runs(self, synchronous: bool) -> bool:
        """Whether the clock runs at this tick."""
        if self.inhabited:
            return True
        self.empty_ticks += synchronous
        return bool(self.lights.cycles) and self.empty_ticks > SETTLING_TICKS
