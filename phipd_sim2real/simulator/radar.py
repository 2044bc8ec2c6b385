"""Radar: random rays in an elliptic cone, with the speed at which what they hit moves away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.simulator.casting import Rays, Stage
from phipd_sim2real.simulator.rigid_motion import RigidMotion
from phipd_sim2real.simulator.surface import dot


@dataclass(frozen=True)
class Radar:
    """A radar's description; attribute names are CARLA's.

    Attributes:
        horizontal_fov, vertical_fov: full angles of the cone, degrees.
        range: metres along the axis.
        points_per_second: rays, hits or not.
    """

    horizontal_fov: float
    vertical_fov: float
    range: float
    points_per_second: int

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> Radar:
        """From a sensor's attributes."""
        return cls(
            float(attributes["horizontal_fov"]),
            float(attributes["vertical_fov"]),
            float(attributes["range"]),
            int(attributes["points_per_second"]),
        )

    def reaches(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, 3) ends of rays in CARLA's sensor axes; they gather about the axis, as CARLA's do."""
        radius, angle = rng.random(count), rng.random(count) * 2 * np.pi
        wide, high = (np.tan(np.radians(fov) / 2) * self.range for fov in (self.horizontal_fov, self.vertical_fov))
        return np.stack(
            [np.full(count, self.range), wide * radius * np.cos(angle), high * radius * np.sin(angle)], axis=-1
        )


def detect(radar: Radar, stage: Stage, motion: RigidMotion, period_s: float, rng: np.random.Generator) -> np.ndarray:
    """One measurement.

    Args:
        radar: the sensor.
        stage: what there is; its actors know where they were at the tick before.
        motion: of the radar, right-handed.
        period_s: seconds since the last measurement.
        rng: of the rays.

    Returns:
        (N, 4) float32: velocity away from the radar (m/s), azimuth to the right and altitude up (rad),
        distance (m).
    """
    reaches = radar.reaches(int(radar.points_per_second * period_s + 1e-6), rng)
    length = np.linalg.norm(reaches, axis=1)
    local = reaches / length[:, None]
    directions = ((local * (1, -1, 1)) @ motion.now[:3, :3].T).astype(np.float32)
    origins = np.broadcast_to(motion.now[:3, 3].astype(np.float32), directions.shape)
    seen = stage.see(Rays(np.ascontiguousarray(origins), np.ascontiguousarray(directions)))
    _, instances = stage.labels(seen)
    points = seen.points()
    moved = (points - stage.points_before(points, instances)) / motion.delta_s
    velocity = dot((moved - motion.velocity).T, directions.T)
    azimuth, altitude = np.arctan2(local[:, 1], local[:, 0]), np.arcsin(local[:, 2])
    hit = seen.distance <= length
    return np.stack([velocity, azimuth, altitude, seen.distance], axis=-1)[hit].astype(np.float32)
