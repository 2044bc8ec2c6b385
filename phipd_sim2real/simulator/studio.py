"""What a tick's exposure becomes: the casts for its cameras and probes, and their payloads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.simulator import wire
from phipd_sim2real.simulator.cameras import pictures
from phipd_sim2real.simulator.events import nearest_obstacle, obstacle_body, static_actor
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.sensing import BodyState, Exposure, Probe

if TYPE_CHECKING:
    from phipd_sim2real.simulator.actors_mesh import ActorShape
    from phipd_sim2real.simulator.casting import Stage
    from phipd_sim2real.simulator.renderer import Renderer


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
