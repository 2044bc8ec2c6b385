"""Motion of rigid bodies between two ticks, and the poses in between and just after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RigidMotion:
    """A body that moves with constant velocity and constant angular velocity.

    Attributes:
        now, before: (4, 4) right-handed poses in the world.
        delta_s: seconds between them.
    """

    now: np.ndarray
    before: np.ndarray
    delta_s: float

    @property
    def velocity(self) -> np.ndarray:
        """(3,) m/s in the world."""
        return (self.now[:3, 3] - self.before[:3, 3]) / self.delta_s

    @property
    def angular_velocity(self) -> np.ndarray:
        """(3,) rad/s in the body's frame."""
        from scipy.spatial.transform import Rotation  # slow to import, and a server without such sensors needs none

        return Rotation.from_matrix(self.before[:3, :3].T @ self.now[:3, :3]).as_rotvec() / self.delta_s

    def at(self, delays_s: np.ndarray) -> np.ndarray:
        """Poses at (M,) seconds after now, negative for before. (M, 4, 4)."""
        from scipy.spatial.transform import Rotation

        poses = np.tile(np.eye(4), (len(delays_s), 1, 1))
        turn = Rotation.from_rotvec(np.outer(delays_s, self.angular_velocity)).as_matrix()
        poses[:, :3, :3] = self.now[:3, :3] @ turn
        poses[:, :3, 3] = self.now[:3, 3] + np.outer(delays_s, self.velocity)
        return poses
