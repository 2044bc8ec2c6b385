"""Which sensors are due at a tick, what they read at once, and what has to be cast for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.simulator import wire
from phipd_sim2real.simulator.actors import Sensor, Solid
from phipd_sim2real.simulator.cameras import Shot, pictures, shots
from phipd_sim2real.simulator.events import collision_body, nearest_obstacle, obstacle_body, static_actor
from phipd_sim2real.simulator.imu import gnss_body, imu_body
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.vehicles import Vehicle
from phipd_sim2real.simulator.world import World

if TYPE_CHECKING:
    from phipd_sim2real.simulator.actors_mesh import ActorShape
    from phipd_sim2real.simulator.casting import Stage
    from phipd_sim2real.simulator.renderer import Renderer
    from phipd_sim2real.simulator.signal_heads import LightShown

_CASTING = ("sensor.lidar.", "sensor.other.radar", "sensor.other.obstacle")


@dataclass(frozen=True)
class BodyState:
    """A vehicle, walker or prop of one tick.

    Attributes:
        actor_id, type_id: its own.
        colour: paint, 0…255.
        foot, before: pose of the point on the ground below its middle, now and at the tick before.
        half_size: metres.
        lights: a vehicle's, CARLA's flags.
        wire: the actor as a message.
    """

    actor_id: int
    type_id: str
    colour: tuple[int, int, int]
    foot: wire.Transform
    before: wire.Transform
    half_size: tuple[float, float, float]
    lights: int
    wire: list[Any]


@dataclass(frozen=True)
class Probe:
    """A sensor other than a camera that asks for a cast.

    Attributes:
        stream_id, type_id, attributes: the sensor's.
        transform, before: of the sensor in the world, now and at the tick before.
        carrier_id: the actor it is fixed to, 0 for none.
        carrier: the message of that actor, or of the sensor itself.
        period_s: seconds since the last measurement.
        look: whose district it stands in.
        seed: of its noise in this tick.
    """

    stream_id: int
    type_id: str
    attributes: Mapping[str, str]
    transform: wire.Transform
    before: wire.Transform
    carrier_id: int
    carrier: list[Any]
    period_s: float
    look: str
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Exposure:
    """Everything that the casts of one tick need, cut loose from the world that moves on."""

    map: RoadMap
    frame: int
    elapsed_s: float
    delta_s: float
    weather: tuple[float, ...]
    shots: tuple[Shot, ...]
    probes: tuple[Probe, ...]
    bodies: tuple[BodyState, ...]
    lights: tuple[LightShown, ...]


def due(world: World, listened: Callable[[int], bool]) -> list[Sensor]:
    """Sensors that measure at this tick and have a listener.

    Whole ticks are counted, so that a period never drifts against the clock.
    """
    ready = [sensor for sensor in world.sensors if sensor.stream_id and listened(sensor.stream_id)]
    return [sensor for sensor in ready if world.episode.ticks % _period(sensor, world) == 0]


def _period(sensor: Sensor, world: World) -> int:
    """Ticks from one measurement to the next."""
    return max(1, round(float(sensor.attributes.get("sensor_tick", "0")) / world.delta_s))


def readings(world: World, sensors: Sequence[Sensor], seed: int) -> Iterator[tuple[int, bytes]]:
    """(stream id, payload) of what can be read off the world's state: IMU, GNSS and collisions."""
    for sensor in sensors:
        rng = np.random.default_rng(_noise_seed(sensor, world, seed))
        kind = sensor.blueprint.type_id
        if kind == "sensor.other.imu":
            yield _message(world, sensor, wire.IMU, imu_body(sensor.history, world.delta_s, sensor.attributes, rng))
        elif kind == "sensor.other.gnss":
            place = world.episode.roads.geolocation(sensor.transform.location)
            yield _message(world, sensor, wire.GNSS, gnss_body(place, sensor.attributes, rng))
        elif kind == "sensor.other.collision":
            for body in _collisions(world, sensor.parent_id):
                yield _message(world, sensor, wire.COLLISION, body)


def _collisions(world: World, actor_id: int) -> Iterator[bytes]:
    """The message of everything that an actor ran into in this tick."""
    for collision in world.episode.collisions:
        if collision.actor_id == actor_id:
            other_id = collision.other_id
            other = world.actor(other_id).wire(0) if other_id else static_actor(collision.other_label)
            yield collision_body(world.actor(actor_id).wire(0), other, collision.impulse)


def _message(world: World, sensor: Sensor, registry: int, body: bytes) -> tuple[int, bytes]:
    header = wire.stream_header(registry, world.frame, world.episode.elapsed_s, sensor.transform)
    return sensor.stream_id, header + body


def _noise_seed(sensor: Sensor, world: World, seed: int) -> tuple[int, ...]:
    own = int(sensor.attributes.get("noise_seed", "0"))
    return (seed & 0xFFFFFFFF, own & 0xFFFFFFFF, sensor.actor_id, world.episode.ticks)


def expose(world: World, sensors: Sequence[Sensor], seed: int) -> Exposure | None:
    """Collects what has to be cast for the sensors that are due; None where nothing has.

    Args:
        world: just after its tick.
        sensors: from `due`.
        seed: the server's.
    """
    cameras = [sensor for sensor in sensors if sensor.blueprint.type_id.startswith("sensor.camera.")]
    if world.settings.no_rendering:
        cameras = []
    casting = [sensor for sensor in sensors if sensor.blueprint.type_id.startswith(_CASTING)]
    if not cameras and not casting:
        return None
    episode = world.episode
    looks = {sensor.actor_id: _look(sensor, world) for sensor in (*cameras, *casting)}
    return Exposure(
        episode.map,
        world.frame,
        episode.elapsed_s,
        world.delta_s,
        episode.weather,
        shots(cameras, looks, world.delta_s, f"{seed}/{episode.ticks}"),
        tuple(_probe(sensor, world, looks[sensor.actor_id], seed) for sensor in casting),
        tuple(_state(solid) for solid in world.solids),
        episode.lights.shown(),
    )


def _look(sensor: Sensor, world: World) -> str:
    """The look of the first colour camera on the same parent; "" for the first look, where there is no such camera."""
    fellows = (other for other in world.sensors if other.parent_id == sensor.parent_id and "look" in other.attributes)
    first = next(fellows, None)
    return first.attributes["look"] if first is not None else ""


def _state(solid: Solid) -> BodyState:
    return BodyState(
        solid.actor_id,
        solid.blueprint.type_id,
        solid.colour(),
        solid.foot,
        solid.below(solid.before),
        solid.body.half_size,
        solid.light_state if isinstance(solid, Vehicle) else 0,
        solid.wire(0),
    )


def _probe(sensor: Sensor, world: World, look: str, seed: int) -> Probe:
    carrier = world.episode.actors.get(sensor.parent_id, sensor)
    return Probe(
        sensor.stream_id,
        sensor.blueprint.type_id,
        sensor.attributes,
        sensor.transform,
        sensor.before,
        sensor.parent_id,
        carrier.wire(0),
        _period(sensor, world) * world.delta_s,
        look,
        _noise_seed(sensor, world, seed),
    )


class Studio:
    """Turns exposures into stream payloads; keeps the scene of the last map."""

    def __init__(self, looks: Sequence[str], seed: int) -> None:
        self._looks = looks
        self._seed = seed
        self._map: RoadMap | None = None
        self._renderer: Renderer | None = None

    def develop(self, exposure: Exposure) -> list[tuple[int, bytes]]:
        """Casts for all cameras and probes of a tick.

        Returns:
            (stream id, payload) per picture, scan or event.
        """
        from phipd_sim2real.simulator.sky import Weather

        renderer = self._renderer_of(exposure.map)
        actors = [_shape(body) for body in exposure.bodies]
        weather = Weather.from_carla(exposure.weather)
        payloads = []
        for shot in exposure.shots:
            look = shot.look or self._looks[0]
            frame = renderer.render(shot.view(), actors, look, weather, shot.seed, shot.fields, exposure.lights)
            payloads.extend(pictures(shot, exposure.frame, exposure.elapsed_s, frame))
        for probe in exposure.probes:
            payloads.extend(self._probed(renderer, probe, exposure, actors))
        return payloads

    def _probed(
        self, renderer: Renderer, probe: Probe, exposure: Exposure, actors: Sequence[ActorShape]
    ) -> Iterator[tuple[int, bytes]]:
        from phipd_sim2real.simulator.casting import Stage
        from phipd_sim2real.simulator.looks import LOOKS

        others = [actor for actor in actors if actor.actor_id != probe.carrier_id or probe.type_id in _SEES_CARRIER]
        eye = pose_from_carla(*probe.transform)[:3, 3]
        district = LOOKS[probe.look or self._looks[0]].district
        stage = Stage(renderer.scene, district, others, eye)
        for registry, body in measure(probe, exposure, stage):
            header = wire.stream_header(registry, exposure.frame, exposure.elapsed_s, probe.transform)
            yield probe.stream_id, header + body

    def _renderer_of(self, road_map: RoadMap) -> Renderer:
        from phipd_sim2real.simulator.renderer import Renderer
        from phipd_sim2real.simulator.scene import shared_scene

        if self._renderer is None or self._map != road_map:
            self._renderer = Renderer(shared_scene(road_map.name, road_map.xodr, self._seed))
            self._map = road_map
        return self._renderer


_SEES_CARRIER = ("sensor.lidar.ray_cast", "sensor.lidar.ray_cast_semantic", "sensor.other.radar")
"""Sensors that see the car they are fixed to, where they stand well outside of it."""


def _shape(body: BodyState) -> ActorShape:
    from phipd_sim2real.simulator.actors_mesh import ActorShape

    pose, before = pose_from_carla(*body.foot), pose_from_carla(*body.before)
    centre = (0.0, 0.0, body.half_size[2])
    return ActorShape(body.actor_id, body.type_id, body.colour, pose, body.half_size, centre, before, body.lights)


def measure(probe: Probe, exposure: Exposure, stage: Stage) -> Iterator[tuple[int, bytes]]:
    """(registry index, body) of every message that a probe sends in this tick."""
    if probe.type_id.startswith("sensor.lidar."):
        yield _scanned(probe, exposure, stage)
    elif probe.type_id == "sensor.other.radar":
        yield wire.RADAR, _detected(probe, exposure, stage)
    elif probe.type_id == "sensor.other.obstacle":
        found = nearest_obstacle(stage, pose_from_carla(*probe.transform), probe.attributes)
        if found is not None:
            distance, instance, tag = found
            other = _actor_of(instance, exposure) or static_actor(tag)
            yield wire.OBSTACLE, obstacle_body(probe.carrier, other, distance)


def _scanned(probe: Probe, exposure: Exposure, stage: Stage) -> tuple[int, bytes]:
    from phipd_sim2real.simulator.lidar import Lidar, lidar_body, scan, semantic_lidar_body

    lidar, rng = Lidar.read(probe.attributes), np.random.default_rng(probe.seed)
    start = lidar.head_angle(exposure.elapsed_s - probe.period_s)
    echoes = scan(lidar, stage, pose_from_carla(*probe.transform), start, probe.period_s, rng)
    end = lidar.head_angle(exposure.elapsed_s)
    if probe.type_id.endswith("semantic"):
        actor_ids = np.zeros(1 << 16, np.uint32)
        for body in exposure.bodies:
            actor_ids[body.actor_id & 0xFFFF] = body.actor_id
        return wire.SEMANTIC_LIDAR, semantic_lidar_body(echoes, end, actor_ids)
    return wire.LIDAR, lidar_body(echoes, end)


def _detected(probe: Probe, exposure: Exposure, stage: Stage) -> bytes:
    from phipd_sim2real.simulator.radar import Radar, detect
    from phipd_sim2real.simulator.rigid_motion import RigidMotion

    motion = RigidMotion(pose_from_carla(*probe.transform), pose_from_carla(*probe.before), exposure.delta_s)
    return detect(
        Radar.read(probe.attributes), stage, motion, probe.period_s, np.random.default_rng(probe.seed)
    ).tobytes()


def _actor_of(instance: int, exposure: Exposure) -> list[Any] | None:
    """The message of the body that an instance stands for."""
    return next((body.wire for body in exposure.bodies if instance and body.actor_id & 0xFFFF == instance), None)
