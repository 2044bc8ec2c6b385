"""Whether a server's camera pictures carry the frame, time and place at which they were taken."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture.connection import CALL_LIMIT_S, LEAVE_LIMIT_S, import_carla
from phipd_sim2real.capture.rows import carla_pose
from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    import carla

SIZE_PX = (64, 32)
PICTURES = 3
STEP_M, HEIGHT_M = 1.0, 50.0
MOST_MISSED = 5
"""Frames that may be lost while the camera's stream connects."""

PATIENCE_S = 2.0
SAME_PLACE, SAME_TIME_S = 0.01, 1e-3


def check_camera_metadata(world: carla.World) -> None:
    """Moves a small camera through a synchronous world, a metre per tick, and compares what its pictures say.

    CARLA 0.9.15 labels pictures with the frame, time and transform of another picture (fixed by its pull request
    8935). Poses and boxes would then belong to another moment than the pixels, without any error.

    Args:
        world: in synchronous mode, ticked by nobody else.

    Raises:
        UsageError: a picture of a tick does not come, or carries another time or place than the world had.
    """
    carla = import_carla()
    blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
    for name, value in zip(("image_size_x", "image_size_y"), SIZE_PX, strict=True):
        blueprint.set_attribute(name, str(value))
    camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(z=HEIGHT_M)))
    received: queue.Queue[tuple[int, float, np.ndarray]] = queue.Queue()
    camera.listen(lambda image: received.put((image.frame, image.timestamp, carla_pose(image.transform))))
    try:
        seen = 0
        for tick in range(1, PICTURES + MOST_MISSED + 1):
            camera.set_transform(carla.Transform(carla.Location(x=tick * STEP_M, z=HEIGHT_M)))
            frame = world.tick(CALL_LIMIT_S)
            told = _of_frame(received, frame)
            if told is not None:
                _compare(told, frame, world.get_snapshot(), camera.id)
                seen += 1
            if seen == PICTURES:
                return
        raise UsageError(
            f"A camera sent only {seen} pictures of {tick} frames that the world was ticked to; frames are lost, or "
            "carry other numbers than their own. Use a CARLA 0.9.16 server that nobody else ticks."
        )
    finally:
        camera.stop()
        camera.destroy()
        world.tick(LEAVE_LIMIT_S)


def _of_frame(received: queue.Queue[tuple[int, float, np.ndarray]], frame: int) -> tuple[float, np.ndarray] | None:
    """Time and pose that the picture of a frame carries; None where none comes."""
    try:
        while True:
            number, time_s, pose = received.get(timeout=PATIENCE_S)
            if number == frame:
                return time_s, pose
    except queue.Empty:
        return None


def _compare(told: tuple[float, np.ndarray], frame: int, snapshot: carla.WorldSnapshot, camera_id: int) -> None:
    time_s, pose = told
    late_s = time_s - snapshot.timestamp.elapsed_seconds
    true_pose = carla_pose(snapshot.find(camera_id).get_transform())
    if abs(late_s) > SAME_TIME_S or np.abs(pose - true_pose).max() > SAME_PLACE:
        away_m = np.linalg.norm(pose[:3, 3] - true_pose[:3, 3])
        raise UsageError(
            f"The picture of frame {frame} carries a time {late_s:+.3f} s and a place {away_m:.2f} m away from the "
            "camera's, as with CARLA 0.9.15: labels would not fit the pixels. Use a CARLA 0.9.16 server."
        )
