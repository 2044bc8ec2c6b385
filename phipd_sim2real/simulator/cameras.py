"""Cameras of a tick, and their pictures: one cast per place, whatever the kinds of camera there."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.geometry import pose_from_carla, vector_from_carla
from phipd_sim2real.simulator import pixels, wire
from phipd_sim2real.simulator.actors import Sensor
from phipd_sim2real.simulator.sensor_blueprints import INTRINSIC, intrinsic, readout

if TYPE_CHECKING:
    from phipd_sim2real.simulator.rays import CameraView
    from phipd_sim2real.simulator.renderer import Frame

_REGISTRY = {
    "rgb": wire.RGB,
    "depth": wire.DEPTH,
    "semantic_segmentation": wire.SEMANTICS,
    "instance_segmentation": wire.INSTANCES,
    "optical_flow": wire.FLOW,
    "normals": wire.NORMALS,
}
_FIELDS = {"rgb": "rgb", "optical_flow": "flow", "normals": "normals"}
"""Kinds of camera whose picture is made only on demand, and the frame's field that holds it."""

_SHARED = ("image_size_x", "image_size_y", "fov", *INTRINSIC, "readout_direction", "readout_s")
"""Attributes that cameras of one cast have in common."""


@dataclass(frozen=True)
class Shot:
    """Cameras of one place and optics at one tick, with all that their picture depends on.

    Attributes:
        kinds: (stream id, kind) of every camera served by this cast.
        transform, before: of the cameras in the world, now and at the tick before.
        delta_s: of a tick.
        attributes: what the cameras have in common, a part of the blueprint's.
        look: family of appearance.
        seed: of the grain.
    """

    kinds: tuple[tuple[int, str], ...]
    transform: wire.Transform
    before: wire.Transform
    delta_s: float
    attributes: Mapping[str, str]
    look: str
    seed: int

    def view(self) -> CameraView:
        """The camera."""
        from phipd_sim2real.simulator.rays import CameraView

        return CameraView(
            int(self.attributes["image_size_x"]),
            int(self.attributes["image_size_y"]),
            float(self.attributes["fov"]),
            pose_from_carla(*self.transform),
            intrinsic(self.attributes),
            pose_from_carla(*self.before),
            self.delta_s,
            readout(self.attributes),
        )

    @property
    def fields(self) -> frozenset[str]:
        """The frame's fields that are wanted."""
        return frozenset(_FIELDS[kind] for _, kind in self.kinds if kind in _FIELDS)


def shots(cameras: Sequence[Sensor], looks: Mapping[int, str], delta_s: float, tick_seed: str) -> tuple[Shot, ...]:
    """Groups cameras into casts.

    Args:
        cameras: those due.
        looks: the look of every camera, by its actor id.
        delta_s: of a tick.
        tick_seed: differs between ticks and servers.
    """
    groups: dict[tuple, list[Sensor]] = {}
    for camera in cameras:
        shared = tuple(camera.attributes[name] for name in _SHARED)
        groups.setdefault((camera.transform, shared), []).append(camera)
    return tuple(
        _shot(members, look, delta_s, tick_seed)
        for group in groups.values()
        for look, members in _by_look(group, looks).items()
    )


def _by_look(cameras: Sequence[Sensor], looks: Mapping[int, str]) -> dict[str, list[Sensor]]:
    """Splits one place by look; label cameras join the first colour camera."""
    coloured = [camera.attributes["look"] for camera in cameras if "look" in camera.attributes]
    parts: dict[str, list[Sensor]] = {}
    for camera in cameras:
        own = camera.attributes.get("look", coloured[0] if coloured else looks[camera.actor_id])
        parts.setdefault(own, []).append(camera)
    return parts


def _shot(cameras: Sequence[Sensor], look: str, delta_s: float, tick_seed: str) -> Shot:
    first = cameras[0]
    return Shot(
        tuple((camera.stream_id, camera.blueprint.type_id.rsplit(".", 1)[-1]) for camera in cameras),
        first.transform,
        first.before,
        delta_s,
        {name: first.attributes[name] for name in _SHARED},
        look,
        # The place takes part, so that no two drives share their grain.
        zlib.crc32(f"{tick_seed}/{first.transform}".encode()),
    )


def pictures(shot: Shot, frame_number: int, elapsed_s: float, frame: Frame) -> list[tuple[int, bytes]]:
    """(stream id, payload) of every camera of a shot."""
    view = shot.view()
    f_u = view.optics.f_u
    fov = view.fov_degrees if view.intrinsic is None else float(2 * np.degrees(np.arctan(view.width / 2 / f_u)))
    payloads = []
    for stream_id, kind in shot.kinds:
        header = wire.stream_header(_REGISTRY[kind], frame_number, elapsed_s, shot.transform)
        payloads.append((stream_id, pixels.camera_payload(header, fov, _pixels(kind, frame))))
    return payloads


def _pixels(kind: str, frame: Frame) -> np.ndarray:
    if kind == "rgb":
        return pixels.rgb_to_bgra(frame.rgb)
    if kind == "depth":
        return pixels.depth_to_bgra(frame.depth)
    if kind == "semantic_segmentation":
        return pixels.semantics_to_bgra(frame.semantics)
    if kind == "optical_flow":
        return pixels.flow_to_pixels(frame.flow)
    if kind == "normals":
        return pixels.normals_to_bgra(vector_from_carla(frame.normals))
    return pixels.instances_to_bgra(frame.semantics, frame.instances)
