"""Rotating lidars: where their lasers point during a tick, what comes back, and the message of both kinds."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.simulator.casting import Rays, Stage
from phipd_sim2real.simulator.surface import dot

_POINT = np.dtype("<f4")
_SEMANTIC_POINT = np.dtype([("xyz", "<f4", 3), ("cosine", "<f4"), ("object", "<u4"), ("tag", "<u4")])


@dataclass(frozen=True)
class Lidar:
    """A lidar's description, in CARLA's units; attribute names are CARLA's.

    Attributes:
        channels: lasers, from `upper_fov` down to `lower_fov` degrees.
        range: metres.
        points_per_second: of all lasers together, hits or not.
        rotation_frequency: Hz.
        horizontal_fov: degrees that are swept, about the front.
        attenuation: per metre.
        dropoff_general: share of rays that are never sent.
        dropoff_limit: intensity above which every echo is kept.
        dropoff_zero: share of echoes lost at intensity 0.
        noise_stddev: of the distance, metres.
    """

    channels: int
    range: float
    points_per_second: int
    rotation_frequency: float
    upper_fov: float
    lower_fov: float
    horizontal_fov: float
    attenuation: float = 0.0
    dropoff_general: float = 0.0
    dropoff_limit: float = 1.0
    dropoff_zero: float = 0.0
    noise_stddev: float = 0.0

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> Lidar:
        """From a sensor's attributes; a semantic lidar has neither noise nor losses."""
        noise = {
            "attenuation": "atmosphere_attenuation_rate",
            "dropoff_general": "dropoff_general_rate",
            "dropoff_limit": "dropoff_intensity_limit",
            "dropoff_zero": "dropoff_zero_intensity",
            "noise_stddev": "noise_stddev",
        }
        return cls(
            int(attributes["channels"]),
            float(attributes["range"]),
            int(attributes["points_per_second"]),
            float(attributes["rotation_frequency"]),
            float(attributes["upper_fov"]),
            float(attributes["lower_fov"]),
            float(attributes["horizontal_fov"]),
            **{field: float(attributes[name]) for field, name in noise.items() if name in attributes},
        )

    def points_per_laser(self, period_s: float) -> int:
        """Rays of one laser in a period."""
        return math.floor(self.points_per_second * period_s / self.channels + 0.5)

    def head_angle(self, time_s: float) -> float:
        """Degrees in [0, horizontal_fov) that the head has turned since the episode began."""
        turns = self.rotation_frequency * time_s
        return max(0.0, turns - math.floor(turns + 1e-6)) * self.horizontal_fov

    def directions(self, start_deg: float, period_s: float) -> np.ndarray:
        """(channels · n, 3) unit vectors in CARLA's sensor axes (x forward, y right, z up), laser by laser."""
        count = self.points_per_laser(period_s)
        step = self.rotation_frequency * self.horizontal_fov * period_s / max(count, 1)
        turned = np.fmod(start_deg + step * np.arange(count), self.horizontal_fov) - self.horizontal_fov / 2
        up, yaw = np.meshgrid(np.radians(self.elevations()), np.radians(turned), indexing="ij")
        flat = np.cos(up)
        return np.stack([flat * np.cos(yaw), flat * np.sin(yaw), np.sin(up)], axis=-1).reshape(-1, 3)

    def elevations(self) -> np.ndarray:
        """(channels,) degrees above the horizontal, from the top."""
        return np.linspace(self.upper_fov, self.lower_fov, self.channels)


@dataclass(frozen=True)
class Echoes:
    """What came back: points of N rays, laser by laser.

    Attributes:
        points: (N, 3) float32 metres in CARLA's sensor axes.
        intensity: (N,) float32 in (0, 1].
        cosine: (N,) float32, of the angle of incidence.
        instances: (N,) uint16 actor ids modulo 65536, 0 for the background.
        tags: (N,) uint8 CityObjectLabels.
        counts: (channels,) uint32 points of each laser.
    """

    points: np.ndarray
    intensity: np.ndarray
    cosine: np.ndarray
    instances: np.ndarray
    tags: np.ndarray
    counts: np.ndarray


def scan(
    lidar: Lidar,
    stage: Stage,
    pose_lidar_in_world: np.ndarray,
    start_deg: float,
    period_s: float,
    rng: np.random.Generator,
) -> Echoes:
    """One measurement; all its rays see the world at one moment, as in CARLA.

    Args:
        lidar: the sensor.
        stage: what there is.
        pose_lidar_in_world: (4, 4) right-handed.
        start_deg: the head's angle at the beginning.
        period_s: seconds since the last measurement.
        rng: of losses and noise.
    """
    local = lidar.directions(start_deg, period_s)
    laser = np.repeat(np.arange(lidar.channels), len(local) // lidar.channels)
    if lidar.dropoff_general:
        sent = rng.random(len(local)) >= lidar.dropoff_general
        local, laser = local[sent], laser[sent]
    directions = ((local * (1, -1, 1)) @ pose_lidar_in_world[:3, :3].T).astype(np.float32)
    origins = np.broadcast_to(pose_lidar_in_world[:3, 3].astype(np.float32), directions.shape)
    seen = stage.see(Rays(np.ascontiguousarray(origins), np.ascontiguousarray(directions)))
    tags, instances = stage.labels(seen)
    cosine = -dot(seen.normals().T, seen.directions.T)
    intensity = np.exp(-lidar.attenuation * seen.distance.astype(np.float64))
    distance = seen.distance.astype(np.float64)
    if lidar.noise_stddev:
        distance = distance + rng.normal(0.0, lidar.noise_stddev, len(distance))
    kept = seen.distance <= lidar.range
    if lidar.dropoff_zero:
        chance = 1 - lidar.dropoff_zero + lidar.dropoff_zero / lidar.dropoff_limit * intensity
        kept &= (intensity > lidar.dropoff_limit) | (rng.random(len(distance)) < chance)
    points = (local * distance[:, None])[kept].astype(np.float32)
    counts = np.bincount(laser[kept], minlength=lidar.channels).astype(np.uint32)
    return Echoes(points, intensity[kept].astype(np.float32), cosine[kept], instances[kept], tags[kept], counts)


def lidar_body(echoes: Echoes, end_deg: float) -> bytes:
    """The message of `sensor.lidar.ray_cast` after its header: x, y, z and intensity of every point."""
    points = np.concatenate([echoes.points, echoes.intensity[:, None]], axis=1)
    return _head(echoes, end_deg) + points.astype(_POINT).tobytes()


def semantic_lidar_body(echoes: Echoes, end_deg: float, actor_ids: np.ndarray) -> bytes:
    """The message of `sensor.lidar.ray_cast_semantic`: x, y, z, cosine, object and tag of every point.

    Args:
        echoes: what came back.
        end_deg: the head's angle at the end.
        actor_ids: (65536,) the actor's id of every instance, 0 for the background.
    """
    points = np.zeros(len(echoes.points), _SEMANTIC_POINT)
    points["xyz"], points["cosine"] = echoes.points, echoes.cosine
    points["object"], points["tag"] = actor_ids[echoes.instances], echoes.tags
    return _head(echoes, end_deg) + points.tobytes()


def _head(echoes: Echoes, end_deg: float) -> bytes:
    head = struct.pack("<fI", math.radians(end_deg), len(echoes.counts))
    return head + echoes.counts.astype("<u4").tobytes()
