"""The simulated world: an episode on a map, its actors, settings, weather, and what one tick does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.actors import Actor, Sensor, Vehicle, overlap
from phipd_sim2real.simulator.blueprints import Blueprint, spectator_blueprint
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.sensor_blueprints import COMPUTED_BY_CLIENTS, require_sound
from phipd_sim2real.simulator.wire import Transform, optional, snapshot

WORLD_STREAM = 1
FREE_RUNNING_DELTA_S = 0.05

CLEAR_NOON = (5.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0)
"""Weather of a fresh episode, in the order of CARLA's WeatherParameters."""


class RequestError(Exception):
    """A request that cannot be done; its message goes to the client."""


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
        actors: by id, in order of birth.
        weather: CARLA's 14 parameters.
        ticks: since the clock started.
        elapsed_s: simulated seconds. The clock of a world stands still until the first actor is spawned, so
            that nothing depends on how many empty frames went by before.
    """

    episode_id: int
    map: RoadMap
    roads: Roads
    actors: dict[int, Actor] = field(default_factory=dict)
    weather: tuple[float, ...] = CLEAR_NOON
    ticks: int = 0
    elapsed_s: float = 0.0
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def inhabited(self) -> bool:
        """Whether anything but the spectator was ever spawned."""
        return self.ticks > 0 or len(self.actors) > 1


class World:
    """The state behind the server; single-threaded, advanced by `tick` alone.

    Attributes:
        blueprints: by type id.
        settings: CARLA's episode settings.
        frame: of the last tick; it never goes back, also over reloads.
        episode: the running episode.
    """

    def __init__(self, road_map: RoadMap, blueprints: Mapping[str, Blueprint]) -> None:
        self.blueprints = blueprints
        self.settings = EpisodeSettings()
        self.frame = 1
        self._stream_ids = itertools.count(WORLD_STREAM + 1)
        self._roads: dict[RoadMap, Roads] = {}
        self.load(road_map, 1)

    def load(self, road_map: RoadMap, episode_id: int) -> None:
        """Starts a fresh episode on a map: ids, clock and weather begin anew."""
        if road_map not in self._roads:  # only the last map is kept
            self._roads = {road_map: Roads(road_map.name, road_map.xodr)}
        self.episode = Episode(episode_id, road_map, self._roads[road_map])
        spectator = Actor(next(self.episode.ids), spectator_blueprint(), {}, Transform())
        self.episode.actors[spectator.actor_id] = spectator

    @property
    def delta_s(self) -> float:
        """Simulated time of one tick."""
        return self.settings.fixed_delta or FREE_RUNNING_DELTA_S

    @property
    def sensors(self) -> list[Sensor]:
        """All sensors, in order of birth."""
        return [actor for actor in self.episode.actors.values() if isinstance(actor, Sensor)]

    @property
    def vehicles(self) -> list[Vehicle]:
        """All vehicles, in order of birth."""
        return [actor for actor in self.episode.actors.values() if isinstance(actor, Vehicle)]

    def tick(self) -> None:
        """Advances everything by one frame."""
        self.frame += 1
        if not self.episode.inhabited:
            return
        self.episode.ticks += 1
        self.episode.elapsed_s += self.delta_s
        for vehicle in self.vehicles:
            vehicle.advance(self.delta_s, self.episode.roads)
        for sensor in self.sensors:
            sensor.follow(self.episode.actors.get(sensor.parent_id))
        for actor in self.episode.actors.values():
            actor.remember()

    def snapshot(self) -> bytes:
        """The world stream's payload of the present frame."""
        episode = self.episode
        entries = [actor.entry() for actor in episode.actors.values()]
        return snapshot(self.frame, episode.elapsed_s, self.delta_s, episode.episode_id, False, entries)

    def actor(self, actor_id: int) -> Actor:
        """An actor by id.

        Raises:
            RequestError: there is none.
        """
        actor = self.episode.actors.get(actor_id)
        if actor is None:
            raise RequestError(f"there is no actor {actor_id}; it was destroyed or belongs to another episode")
        return actor

    def vehicle(self, actor_id: int) -> Vehicle:
        """A vehicle by id.

        Raises:
            RequestError: there is none, or the actor is no vehicle.
        """
        actor = self.actor(actor_id)
        if not isinstance(actor, Vehicle):
            raise RequestError(f"actor {actor_id} is a {actor.blueprint.type_id}, not a vehicle")
        return actor

    def spawn(self, description: Sequence[Any], transform: Transform, parent_id: int = 0) -> Actor:
        """Makes an actor.

        Args:
            description: `ActorDescription` as on the wire: uid, type id, attributes.
            transform: in the world, or relative to the parent.
            parent_id: 0 for none.

        Raises:
            RequestError: unknown blueprint or parent, bad attribute, or a vehicle is in the way.
        """
        blueprint = self.blueprints.get(description[1])
        if blueprint is None:
            raise RequestError(f"there is no blueprint {description[1]!r} in this simulator")
        attributes = _filled_in(blueprint, description[2])
        if parent_id:
            self.actor(parent_id)
        actor = self._make(blueprint, attributes, transform, parent_id)
        self.episode.actors[actor.actor_id] = actor
        return actor

    def _make(self, blueprint: Blueprint, attributes: dict[str, str], transform: Transform, parent_id: int) -> Actor:
        episode = self.episode
        if blueprint.body is None:
            stream_id = 0 if blueprint.type_id == COMPUTED_BY_CLIENTS else next(self._stream_ids)
            sensor = Sensor(next(episode.ids), blueprint, attributes, transform, parent_id, transform, stream_id)
            sensor.follow(episode.actors.get(parent_id))
            return sensor
        vehicle = Vehicle(0, blueprint, attributes, transform)
        if any(overlap(vehicle, other) for other in self.vehicles):
            raise RequestError("Spawn failed because of collision at spawn position")
        vehicle.actor_id = next(episode.ids)
        vehicle.speed_limit = episode.roads.speed_limit_kmh(*transform.location[:2])
        return vehicle

    def destroy(self, actor_id: int) -> bool:
        """Removes an actor with what is fixed to it; False for the spectator and for what is not there."""
        actors = self.episode.actors
        actor = actors.get(actor_id)
        if actor is None or actor.blueprint.type_id == "spectator":
            return False
        for child in [child for child in actors.values() if child.parent_id == actor_id]:
            self.destroy(child.actor_id)
        del actors[actor_id]
        return True

    def place(self, actor_id: int, transform: Transform) -> None:
        """Sets the pose of an actor; of an attached sensor, relative to its parent."""
        actor = self.actor(actor_id)
        if isinstance(actor, Vehicle):
            actor.place(transform)
        elif isinstance(actor, Sensor):
            actor.mount = transform
            actor.follow(self.episode.actors.get(actor.parent_id))
        else:
            actor.transform = transform


def require_attachment(kind: int) -> None:
    """Rigid, SpringArm and SpringArmGhost are taken; all of them hold rigidly, for there is no lag to damp.

    Raises:
        RequestError: another number.
    """
    if kind not in (0, 1, 2):
        raise RequestError(f"attachment {kind} is unknown; use AttachmentType.Rigid, SpringArm or SpringArmGhost")


def _filled_in(blueprint: Blueprint, changes: Sequence[Sequence[Any]]) -> dict[str, str]:
    """A blueprint's values with the client's [name, type, value] changes."""
    attributes = {name: item.value for name, item in blueprint.attributes.items()}
    try:
        for name, _, value in changes:
            if name not in attributes:
                raise RequestError(f"{blueprint.type_id} has no attribute {name!r}")
            attributes[name] = blueprint.attributes[name].checked(value)
        require_sound(blueprint.type_id, attributes)
    except UsageError as error:
        raise RequestError(str(error)) from error
    return attributes
