"""The simulated world: an episode on a map, its actors, settings, weather, and what one tick does."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.actors import Actor, Prop, Sensor, Solid
from phipd_sim2real.simulator.blueprints import WALKER_CONTROLLER, Blueprint, spectator_blueprint
from phipd_sim2real.simulator.collisions import level
from phipd_sim2real.simulator.episode import Episode, EpisodeSettings
from phipd_sim2real.simulator.footprints import contact
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.movement import move
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.sensor_blueprints import COMPUTED_BY_CLIENTS
from phipd_sim2real.simulator.snapshots import snapshot
from phipd_sim2real.simulator.surroundings import Surroundings
from phipd_sim2real.simulator.traffic_lights import TrafficLight, TrafficLights, signal_actor
from phipd_sim2real.simulator.vehicles import Vehicle
from phipd_sim2real.simulator.walkers import Walker
from phipd_sim2real.simulator.wire import Transform

A = TypeVar("A", bound=Actor)

WORLD_STREAM = 1
FREE_RUNNING_DELTA_S = 0.05


class RequestError(Exception):
    """A request that cannot be done; its message goes to the client."""


class World:
    """The state behind the server; single-threaded, advanced by `tick` alone.

    Attributes:
        blueprints: by type id.
        settings: CARLA's episode settings.
        frame: of the last tick; it never goes back, also over reloads.
        episode: the running episode.
    """

    def __init__(self, road_map: RoadMap, blueprints: Mapping[str, Blueprint], seed: int = 0) -> None:
        """
        Args:
            road_map: where it begins.
            blueprints: what can be spawned.
            seed: of the scenery that bodies run into.
        """
        self.blueprints = blueprints
        self.settings = EpisodeSettings()
        self.frame = 1
        self._seed = seed
        self._stream_ids = itertools.count(WORLD_STREAM + 1)
        self._maps: dict[RoadMap, tuple[Roads, Surroundings]] = {}
        self.load(road_map, 1)

    def load(self, road_map: RoadMap, episode_id: int) -> None:
        """Starts a fresh episode on a map: ids, clock and weather begin anew."""
        if road_map not in self._maps:  # only the last map is kept
            roads = Roads(road_map.name, road_map.xodr)
            self._maps = {road_map: (roads, Surroundings(road_map, self._seed))}
        self.episode = Episode(episode_id, road_map, *self._maps[road_map])
        self.episode.surroundings.show()
        self._add(Actor(0, spectator_blueprint(), {}, Transform()))
        for signal in self.episode.roads.signals if "<signal" in road_map.xodr else ():
            self._add(signal_actor(signal))
        lights = [actor for actor in self.episode.actors.values() if isinstance(actor, TrafficLight)]
        self.episode.lights = TrafficLights(lights)

    def _add(self, actor: Actor) -> Actor:
        actor.actor_id = next(self.episode.ids)
        self.episode.actors[actor.actor_id] = actor
        return actor

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

    @property
    def solids(self) -> list[Solid]:
        """Vehicles, walkers and props, in order of birth."""
        return [actor for actor in self.episode.actors.values() if isinstance(actor, Solid)]

    def tick(self) -> None:
        """Advances everything by one frame."""
        self.frame += 1
        episode, delta_s = self.episode, self.delta_s
        if not episode.runs(self.settings.synchronous):
            return
        episode.ticks += 1
        episode.elapsed_s += delta_s
        episode.lights.advance(delta_s)
        solids = self.solids
        before = [solid.velocity for solid in solids]
        move(episode, solids, delta_s)
        for solid, then in zip(solids, before, strict=True):
            (x, y, z), (old_x, old_y, old_z) = solid.velocity, then
            solid.acceleration = ((x - old_x) / delta_s, (y - old_y) / delta_s, (z - old_z) / delta_s)
        episode.lights.show_to([solid for solid in solids if isinstance(solid, Vehicle)], delta_s)
        for actor in episode.actors.values():
            if actor.parent_id and isinstance(actor, Sensor | Solid):
                actor.follow(episode.actors.get(actor.parent_id))
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
        return self._of_kind(actor_id, Vehicle, "vehicle")

    def walker(self, actor_id: int) -> Walker:
        """A walker by id.

        Raises:
            RequestError: there is none, or the actor is no walker.
        """
        return self._of_kind(actor_id, Walker, "walker")

    def solid(self, actor_id: int) -> Solid:
        """A vehicle, walker or prop by id.

        Raises:
            RequestError: there is none, or the actor has no body.
        """
        return self._of_kind(actor_id, Solid, "vehicle, walker or prop")

    def traffic_light(self, actor_id: int) -> TrafficLight:
        """A traffic light by id.

        Raises:
            RequestError: there is none, or the actor is something else.
        """
        return self._of_kind(actor_id, TrafficLight, "traffic light")

    def _of_kind(self, actor_id: int, kind: type[A], noun: str) -> A:
        actor = self.actor(actor_id)
        if not isinstance(actor, kind):
            raise RequestError(f"actor {actor_id} is a {actor.blueprint.type_id}, not a {noun}")
        return actor

    def spawn(self, description: Sequence[Any], transform: Transform, parent_id: int = 0) -> Actor:
        """Makes an actor.

        Args:
            description: `ActorDescription` as on the wire: uid, type id, attributes.
            transform: in the world, or relative to the parent.
            parent_id: 0 for none.

        Raises:
            RequestError: unknown blueprint or parent, bad attribute, or something is in the way.
        """
        blueprint = self.blueprints.get(description[1])
        if blueprint is None:
            raise RequestError(f"there is no blueprint {description[1]!r} in this simulator")
        if blueprint.type_id == WALKER_CONTROLLER:
            raise RequestError(
                f"{WALKER_CONTROLLER} is not offered: it needs a navigation mesh, and this simulator's maps have none; "
                "move walkers with apply_control"
            )
        try:
            attributes = blueprint.filled_in(description[2])
        except UsageError as error:
            raise RequestError(str(error)) from error
        if parent_id:
            self.actor(parent_id)
        actor = self._make(blueprint, attributes, transform, parent_id)
        self._settle_in()
        self._add(actor)
        if "look" in attributes:
            looks = [sensor.attributes["look"] for sensor in self.sensors if "look" in sensor.attributes]
            self.episode.surroundings.show(looks[0])
        return actor

    def _settle_in(self) -> None:
        """The first actor of an episode finds its traffic lights at their beginning."""
        if not self.episode.inhabited and not self.episode.ticks:
            for cycle in self.episode.lights.cycles:
                cycle.reset()
        self.episode.inhabited = True

    def _make(self, blueprint: Blueprint, attributes: dict[str, str], transform: Transform, parent_id: int) -> Actor:
        parent = self.episode.actors.get(parent_id)
        if blueprint.body is None:
            stream_id = 0 if blueprint.type_id == COMPUTED_BY_CLIENTS else next(self._stream_ids)
            sensor = Sensor(0, blueprint, attributes, transform, parent_id, transform, stream_id)
            sensor.follow(parent)
            return sensor
        kind = _kind(blueprint.type_id)
        solid = kind(0, blueprint, attributes, transform, parent_id, mount=transform)
        if parent is not None:
            solid.follow(parent)
        elif any(contact(solid.footprint, other.footprint) and level(solid, other) for other in self._standing()):
            raise RequestError("Spawn failed because of collision at spawn position")
        if isinstance(solid, Vehicle):
            solid.speed_limit = self.episode.roads.speed_limit_kmh(*transform.location[:2])
        return solid

    def _standing(self) -> list[Solid]:
        return [solid for solid in self.solids if solid.collides and not solid.parent_id]

    def destroy(self, actor_id: int) -> bool:
        """Removes an actor with what is fixed to it; False for what is the map's and for what is not there."""
        actors = self.episode.actors
        actor = actors.get(actor_id)
        if actor is None or actor.blueprint.uid == 0:
            return False
        for child in [child for child in actors.values() if child.parent_id == actor_id]:
            self.destroy(child.actor_id)
        del actors[actor_id]
        return True

    def place(self, actor_id: int, transform: Transform) -> None:
        """Sets the pose of an actor; of an attached sensor, relative to its parent."""
        actor = self.actor(actor_id)
        if isinstance(actor, Sensor) or actor.parent_id:
            actor.mount = transform
            actor.follow(self.episode.actors.get(actor.parent_id))
        elif isinstance(actor, Solid):
            actor.place(transform)
        else:
            actor.transform = transform


def _kind(type_id: str) -> type[Solid]:
    family = type_id.split(".", 1)[0]
    return {"vehicle": Vehicle, "walker": Walker}.get(family, Prop)
