"""Which cameras are due at a tick, and their pictures: one cast per place, whatever the kinds of camera there."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.simulator import wire
from phipd_sim2real.simulator.actors import Sensor
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.world import World

if TYPE_CHECKING:
    import numpy as np

    from phipd_sim2real.simulator.renderer import ActorShape, Frame, Renderer

_REGISTRY = {
    "rgb": wire.RGB,
    "depth": wire.DEPTH,
    "semantic_segmentation": wire.SEMANTICS,
    "instance_segmentation": wire.INSTANCES,
}


@dataclass(frozen=True)
class Shot:
    """Cameras of one place, size and field of view at one tick, with all that their picture depends on.

    Attributes:
        kinds: (stream id, kind) of every camera served by this cast.
        transform: of the cameras in the world.
        width, height: pixels.
        fov: horizontal, degrees.
        look: family of appearance.
        seed: of the grain.
    """

    kinds: tuple[tuple[int, str], ...]
    transform: wire.Transform
    width: int
    height: int
    fov: float
    look: str
    seed: int


@dataclass(frozen=True)
class Exposure:
    """Everything that the pictures of one tick need, cut loose from the world that moves on."""

    map: RoadMap
    frame: int
    elapsed_s: float
    weather: tuple[float, ...]
    shots: tuple[Shot, ...]
    vehicles: tuple[tuple[int, str, tuple[int, int, int], wire.Transform, tuple[float, float, float]], ...]


def expose(world: World, listened: Callable[[int], bool], seed: int) -> Exposure | None:
    """Collects the cameras that are due and have a listener; None where there are none.

    Args:
        world: just after its tick.
        listened: tells whether anybody reads a stream.
        seed: the server's.
    """
    cameras = [sensor for sensor in world.sensors if sensor.stream_id and listened(sensor.stream_id)]
    due = [camera for camera in cameras if _is_due(camera, world)]
    if not due or world.settings.no_rendering:
        return None
    episode = world.episode
    vehicles = tuple(
        (body.actor_id, body.blueprint.type_id, body.colour(), body.foot, body.body.half_size) for body in world.solids
    )
    shots = _shots(due, f"{seed}/{episode.ticks}")
    return Exposure(episode.map, world.frame, episode.elapsed_s, episode.weather, shots, vehicles)


def _is_due(camera: Sensor, world: World) -> bool:
    """Whole ticks are counted, so that a period never drifts against the clock."""
    period = max(1, round(float(camera.attributes["sensor_tick"]) / world.delta_s))
    return world.episode.ticks % period == 0


def _shots(cameras: Sequence[Sensor], tick_seed: str) -> tuple[Shot, ...]:
    groups: dict[tuple, list[Sensor]] = {}
    for camera in cameras:
        size = (camera.attributes["image_size_x"], camera.attributes["image_size_y"], camera.attributes["fov"])
        groups.setdefault((camera.transform, size), []).append(camera)
    return tuple(
        _shot(members, look, tick_seed) for group in groups.values() for look, members in _by_look(group).items()
    )


def _by_look(cameras: Sequence[Sensor]) -> dict[str, list[Sensor]]:
    """Splits one place by look; label cameras join the first colour camera."""
    looks = [camera.attributes["look"] for camera in cameras if "look" in camera.attributes]
    parts: dict[str, list[Sensor]] = {}
    for camera in cameras:
        parts.setdefault(camera.attributes.get("look", looks[0] if looks else ""), []).append(camera)
    return parts


def _shot(cameras: Sequence[Sensor], look: str, tick_seed: str) -> Shot:
    first = cameras[0]
    return Shot(
        tuple((camera.stream_id, camera.blueprint.type_id.rsplit(".", 1)[-1]) for camera in cameras),
        first.transform,
        int(first.attributes["image_size_x"]),
        int(first.attributes["image_size_y"]),
        float(first.attributes["fov"]),
        look,
        # The place takes part, so that no two drives share their grain.
        zlib.crc32(f"{tick_seed}/{first.transform}".encode()),
    )


class Studio:
    """Turns exposures into stream payloads; keeps the scene of the last map."""

    def __init__(self, looks: Sequence[str], seed: int) -> None:
        self._looks = looks
        self._seed = seed
        self._map: RoadMap | None = None
        self._renderer: Renderer | None = None

    def develop(self, exposure: Exposure) -> list[tuple[int, bytes]]:
        """Renders all shots of a tick.

        Returns:
            (stream id, payload) per camera.
        """
        from phipd_sim2real.simulator.renderer import CameraView, Weather

        renderer = self._renderer_of(exposure.map)
        actors = [_shape(*vehicle) for vehicle in exposure.vehicles]
        cloudiness, _, deposits, _, azimuth, altitude, fog, _, _, wetness = exposure.weather[:10]
        weather = Weather(
            sun_azimuth_deg=azimuth,
            sun_altitude_deg=altitude,
            cloudiness=cloudiness,
            fog_density=fog,
            precipitation_deposits=deposits,
            wetness=wetness,
        )
        payloads = []
        for shot in exposure.shots:
            view = CameraView(shot.width, shot.height, shot.fov, pose_from_carla(*shot.transform))
            frame = renderer.render(view, actors, shot.look or self._looks[0], weather, shot.seed)
            payloads.extend(_payloads(shot, exposure, frame))
        return payloads

    def _renderer_of(self, road_map: RoadMap) -> Renderer:
        from phipd_sim2real.simulator.renderer import Renderer
        from phipd_sim2real.simulator.scene import Scene

        if self._renderer is None or self._map != road_map:
            self._renderer = Renderer(Scene.from_opendrive(road_map.name, road_map.xodr, self._seed))
            self._map = road_map
        return self._renderer


def _shape(
    actor_id: int,
    type_id: str,
    colour: tuple[int, int, int],
    transform: wire.Transform,
    half_size: tuple[float, float, float],
) -> ActorShape:
    from phipd_sim2real.simulator.renderer import ActorShape

    return ActorShape(actor_id, type_id, colour, pose_from_carla(*transform), half_size, (0.0, 0.0, half_size[2]))


def _payloads(shot: Shot, exposure: Exposure, frame: Frame) -> list[tuple[int, bytes]]:
    payloads = []
    for stream_id, kind in shot.kinds:
        header = wire.stream_header(_REGISTRY[kind], exposure.frame, exposure.elapsed_s, shot.transform)
        payloads.append((stream_id, wire.camera_payload(header, shot.fov, _bgra(kind, frame))))
    return payloads


def _bgra(kind: str, frame: Frame) -> np.ndarray:
    if kind == "rgb":
        return wire.rgb_to_bgra(frame.rgb)
    if kind == "depth":
        return wire.depth_to_bgra(frame.depth)
    if kind == "semantic_segmentation":
        return wire.semantics_to_bgra(frame.semantics)
    return wire.instances_to_bgra(frame.semantics, frame.instances)
