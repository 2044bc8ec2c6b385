"""Which sensors are due at a tick, what they read at once, and what has to be cast for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.simulator import wire
from phipd_sim2real.simulator.actors import Sensor, Solid
from phipd_sim2real.simulator.cameras import Shot, shots
from phipd_sim2real.simulator.events import collision_body, static_actor
from phipd_sim2real.simulator.imu import gnss_body, imu_body
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.vehicles import Vehicle
from phipd_sim2real.simulator.world import World

if TYPE_CHECKING:
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
