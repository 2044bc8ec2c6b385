"""Camera sensors: one queue each, frames matched by id, pixels copied and decoded."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from phipd_sim2real.capture.connection import import_carla
from phipd_sim2real.capture.lens import LensResampler, resampler_of
from phipd_sim2real.capture.rig import CameraMount, Lens, Rig
from phipd_sim2real.capture.session import Episode
from phipd_sim2real.errors import StageError
from phipd_sim2real.geometry import pose_to_carla

if TYPE_CHECKING:
    import carla

FRAME_LIMIT_S = 60.0
SETTLING_LIMIT_S, MOST_SETTLING_TICKS = 1.0, 60
COLOUR = "rgb"
LABELS = ("depth", "semantic_segmentation", "instance_segmentation")

LENS_ATTRIBUTES = {
    "focal_x": "f_u",
    "focal_y": "f_v",
    "centre_x": "c_u",
    "centre_y": "c_v",
    **{name: name for name in ("k1", "k2", "p1", "p2", "k3")},
}
"""Blueprint attribute -> field of `Lens`, on servers that render lenses; CARLA's blueprints have none of these."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What one camera sees at one tick. Labels are None where they are not recorded.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth_m: (H, W) float32 metres along the camera's x axis.
        semantics: (H, W) uint8, CARLA's CityObjectLabel.
        instances: (H, W) uint16.
    """

    rgb: np.ndarray
    depth_m: np.ndarray | None
    semantics: np.ndarray | None
    instances: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Frames:
    """What the sensors of one camera sent for one tick, not yet decoded.

    Attributes:
        bgra: (H, W, 4) uint8 of colour, and of the labels where they are recorded.
        resampler: from the pinhole that was rendered to the camera's lens; None where they are the same.
    """

    bgra: tuple[np.ndarray, ...]
    resampler: LensResampler | None

    @property
    def size_bytes(self) -> int:
        """Memory of the pixels."""
        return sum(pixels.nbytes for pixels in self.bgra)

    def decode(self) -> Picture:
        """The picture of the camera's lens."""
        colour, *labels = self.bgra
        rgb = cv2.cvtColor(colour, cv2.COLOR_BGRA2RGB)
        resampler = self.resampler
        if not labels:
            return Picture(rgb if resampler is None else resampler.colour(rgb), None, None, None)
        depth, semantics, instances = (
            depth_from_bgra(labels[0]),
            labels[1][..., 2].copy(),
            instances_from_bgra(labels[2]),
        )
        if resampler is None:
            return Picture(rgb, depth, semantics, instances)
        return Picture(
            resampler.colour(rgb), resampler.depth(depth), resampler.labels(semantics), resampler.labels(instances)
        )


class SensorQueue:
    """Frames of one sensor in the order of their ids.

    The callback copies the pixels: the client reuses the buffer under `raw_data` for later frames.
    """

    def __init__(self, sensor: carla.Sensor) -> None:
        self._name = sensor.type_id
        self._frames: queue.Queue[tuple[int, np.ndarray]] = queue.Queue()
        self._sent = threading.Event()
        sensor.listen(self._receive)

    def take(self, frame: int) -> np.ndarray:
        """Waits for the pixels of a frame, (H, W, 4) uint8 BGRA; older frames are dropped.

        Raises:
            StageError: the frame was lost, or does not come.
        """
        while True:
            try:
                received, pixels = self._frames.get(timeout=FRAME_LIMIT_S)
            except queue.Empty:
                raise StageError(f"{self._name} sent nothing for frame {frame} in {FRAME_LIMIT_S:g} s.") from None
            if received == frame:
                return pixels
            if received > frame:
                raise StageError(f"{self._name} skipped frame {frame} and sent {received}.")

    def has_sent(self, limit_s: float) -> bool:
        """Whether any frame has come; waits for the first one."""
        return self._sent.wait(limit_s)

    def _receive(self, image: carla.Image) -> None:
        pixels = np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4).copy()
        self._frames.put((image.frame, pixels))
        self._sent.set()


class CameraArray:
    """All cameras of a rig on one vehicle, each with its label sensors at the same place."""

    def __init__(
        self, episode: Episode, parent: carla.Actor, rig: Rig, labels: bool, attributes: dict[str, str]
    ) -> None:
        """Attaches the cameras and begins to listen.

        Args:
            episode: where to spawn them.
            parent: the ego vehicle.
            rig: its cameras.
            labels: whether depth, semantics and instances are recorded beside colour.
            attributes: blueprint attributes beside size and field of view, such as `look`; each is set on the
                blueprints that have it.
        """
        kinds = (COLOUR, *LABELS) if labels else (COLOUR,)
        renders_lenses = server_renders_lenses(episode.world.get_blueprint_library())
        self._resamplers = {mount.camera: None if renders_lenses else resampler_of(mount) for mount in rig.cameras}
        self._queues = {
            mount.camera: [
                _attach(episode, parent, rig, mount, kind, _optics(mount, self._resamplers[mount.camera]) | attributes)
                for kind in kinds
            ]
            for mount in rig.cameras
        }

    def settle(self, tick: Callable[[], object]) -> None:
        """Ticks until every camera has sent a picture: a stream connects after `listen`, and misses what came before.

        Raises:
            StageError: one sends nothing, however often the world is ticked.
        """
        queues = [queue for of_mount in self._queues.values() for queue in of_mount]
        for _ in range(MOST_SETTLING_TICKS):
            tick()
            if all(queue.has_sent(SETTLING_LIMIT_S) for queue in queues):
                return
        raise StageError(f"A camera sent no picture in {MOST_SETTLING_TICKS} ticks after it was attached.")

    def take(self, frame: int) -> dict[int, Frames]:
        """Waits for the frames of a tick, by camera id."""
        return {
            camera: Frames(tuple(queue.take(frame) for queue in queues), self._resamplers[camera])
            for camera, queues in self._queues.items()
        }


def server_renders_lenses(library: carla.BlueprintLibrary) -> bool:
    """Whether the server's cameras take intrinsics and distortion, so that nothing need be resampled."""
    camera = library.find(f"sensor.camera.{COLOUR}")
    return all(camera.has_attribute(name) for name in LENS_ATTRIBUTES)


def depth_from_bgra(bgra: np.ndarray) -> np.ndarray:
    """Decodes CARLA's 24-bit depth, (H, W, 4) uint8 BGRA, to (H, W) float32 metres, 0 to 1000."""
    code = np.ascontiguousarray(bgra).view(">u4")[..., 0] >> 8  # red + 256 green + 65536 blue
    return (1000.0 * code / (2**24 - 1)).astype(np.float32)


def instances_from_bgra(bgra: np.ndarray) -> np.ndarray:
    """Decodes the 16-bit object id of CARLA's instance camera, green + 256 blue, to (H, W) uint16."""
    return bgra[..., 1].astype(np.uint16) + 256 * bgra[..., 0].astype(np.uint16)


def _optics(mount: CameraMount, resampler: LensResampler | None) -> dict[str, str]:
    """Attributes that make a server's camera see what the mount's lens sees, or the pinhole it is made from."""
    if resampler is not None:
        view = resampler.view
        return _pinhole(view.width, view.height, view.fov_degrees)
    if mount.lens is None:
        return _pinhole(mount.width, mount.height, mount.fov_degrees)
    return _size(mount.width, mount.height) | lens_attributes(mount.lens)


def lens_attributes(lens: Lens) -> dict[str, str]:
    """Blueprint attributes of a lens."""
    return {attribute: str(getattr(lens, field)) for attribute, field in LENS_ATTRIBUTES.items()}


def _pinhole(width: int, height: int, fov_degrees: float) -> dict[str, str]:
    return _size(width, height) | {"fov": str(fov_degrees)}


def _size(width: int, height: int) -> dict[str, str]:
    return {"image_size_x": str(width), "image_size_y": str(height)}


def _attach(
    episode: Episode, parent: carla.Actor, rig: Rig, mount: CameraMount, kind: str, attributes: dict[str, str]
) -> SensorQueue:
    carla = import_carla()
    blueprint = episode.world.get_blueprint_library().find(f"sensor.camera.{kind}")
    for name, value in attributes.items():
        if blueprint.has_attribute(name):
            blueprint.set_attribute(name, value)
    pose_camera_in_actor = rig.pose_vehicle_in_actor() @ mount.pose_camera_in_vehicle()
    location, rotation = pose_to_carla(pose_camera_in_actor)
    transform = carla.Transform(carla.Location(*map(float, location)), carla.Rotation(*map(float, rotation)))
    return SensorQueue(episode.spawn_sensor(blueprint, transform, parent))
