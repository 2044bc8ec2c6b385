"""Rows made of a picture and the boxes of its moment, away from the path of the simulation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from phipd_sim2real.capture import rows
from phipd_sim2real.capture.cameras import Frames, Picture
from phipd_sim2real.capture.object_labels import FEWEST_PIXELS, ObjectInPicture, objects_in_picture
from phipd_sim2real.capture.rig import CameraMount
from phipd_sim2real.capture.rows import EgoMoment, Row
from phipd_sim2real.drivelog import CAMERA, OBJECT, TIMESTAMP, column
from phipd_sim2real.drivelog.flow import encode_flow
from phipd_sim2real.drivelog.schema import CAMERA_OBJECT
from phipd_sim2real.motion import MOVABLE_CLASSES
from phipd_sim2real.motion_geometry import Box, View, exact_flow, sight_lines
from phipd_sim2real.waymo.camera_model import Calibration

PER_OBJECT = ("camera_box", "projected_lidar_box", "object_visibility")
Rows = list[tuple[str, Row]]
"""(component, row) in the order in which they are written."""


@dataclass(frozen=True, eq=False)
class Scenery:
    """Boxes of one moment.

    Attributes:
        moment: when.
        names: of the objects, as in `key.laser_object_id`.
        kinds: Waymo's box types.
        boxes: in the vehicle frame.
    """

    moment: EgoMoment
    names: tuple[str, ...]
    kinds: tuple[int, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, eq=False)
class Developed:
    """One picture's rows, and what labels over several pictures need of it.

    Attributes:
        rows: of the picture.
        view: depth and boxes for the flow to the next picture; None where no flow is recorded.
        objects: found in it; empty where they are not recorded.
        scenery: of its moment.
    """

    rows: Rows
    view: View | None
    objects: list[ObjectInPicture]
    scenery: Scenery


def develop(
    frames: Frames,
    scenery: Scenery,
    mount: CameraMount,
    label_of_instance: np.ndarray | None,
    jpeg_quality: int,
    labels: Collection[str],
) -> Developed:
    """Decodes the frames of a camera and makes their rows.

    Args:
        frames: as they came from the server.
        scenery: of their moment.
        mount: the camera.
        label_of_instance: (65536,) uint16 from the server's instance ids to the log's; None keeps them.
        jpeg_quality: of the colour picture.
        labels: further components to record.
    """
    picture = frames.decode()
    if picture.instances is not None and label_of_instance is not None:
        picture = Picture(picture.rgb, picture.depth_m, picture.semantics, label_of_instance[picture.instances])
    made: Rows = list(rows.image_rows(scenery.moment, mount.camera, picture, jpeg_quality).items())
    objects: list[ObjectInPicture] = []
    if {*PER_OBJECT, "lidar_camera_synced_box"} & set(labels):
        calibration, rays = _optics(mount)
        objects = objects_in_picture(scenery.boxes, picture.depth_m, picture.semantics, calibration, rays)
    for found in objects:
        made += [(name, row) for name, row in _object_rows(found, scenery, mount.camera) if name in labels]
    return Developed(made, _view(picture, scenery) if "camera_flow" in labels else None, objects, scenery)


def flow_row(mount: CameraMount, first: Developed, second: Developed) -> Row:
    """Row of camera_flow: from the first picture to the second, exact."""
    calibration, _ = _optics(mount)
    values = {
        "image": encode_flow(exact_flow(first.view, second.view, calibration)),
        "to_timestamp_micros": second.scenery.moment.timestamp_micros,
    }
    keys = {TIMESTAMP: first.scenery.moment.timestamp_micros, CAMERA: mount.camera}
    return keys | {column("camera_flow", name): value for name, value in values.items()}


def synced_box_rows(pictures: Sequence[tuple[int, Developed]]) -> Rows:
    """Rows of lidar_camera_synced_box: each object's box, in the camera that shows most pixels of it.

    All cameras are exposed at the time of the boxes, so that nothing is moved.
    """
    scenery = pictures[0][1].scenery
    made: Rows = []
    for index, (name, box) in enumerate(zip(scenery.names, scenery.boxes, strict=True)):
        seen = [
            (found.visible_pixels, -camera)
            for camera, developed in pictures
            for found in developed.objects
            if found.index == index and found.visible_pixels
        ]
        if seen:
            values = {"most_visible_camera_name": -max(seen)[1]} | _box_3d(box)
            keys = {TIMESTAMP: scenery.moment.timestamp_micros, OBJECT: name}
            component = "lidar_camera_synced_box"
            made.append((component, keys | {column(component, key): value for key, value in values.items()}))
    return made


@lru_cache(maxsize=16)
def _optics(mount: CameraMount) -> tuple[Calibration, np.ndarray]:
    calibration = mount.calibration()
    return calibration, sight_lines(calibration)


def _view(picture: Picture, scenery: Scenery) -> View:
    movable = np.isin(picture.semantics, MOVABLE_CLASSES)
    boxes = dict(zip(scenery.names, scenery.boxes, strict=True))
    return View(picture.depth_m, movable, scenery.moment.pose_vehicle_in_world, boxes)


def _object_rows(found: ObjectInPicture, scenery: Scenery, camera: int) -> Rows:
    name, kind = scenery.names[found.index], scenery.kinds[found.index]
    keys = {TIMESTAMP: scenery.moment.timestamp_micros, CAMERA: camera}
    projected = _box_2d(found.outline) | {"type": kind}
    visibility: dict[str, Any] = {
        "visible_pixels": found.visible_pixels,
        "outline_pixels": found.outline_pixels,
        "visible_share": found.visible_share,
    }
    made = [
        ("projected_lidar_box", keys | {OBJECT: name}, projected),
        ("object_visibility", keys | {OBJECT: name}, visibility),
    ]
    if found.visible is not None and found.visible_pixels >= FEWEST_PIXELS:
        made.append(("camera_box", keys | {CAMERA_OBJECT: name}, _box_2d(found.visible) | {"type": kind}))
    return [
        (component, key | {column(component, field): value for field, value in values.items()})
        for component, key, values in made
    ]


def _box_2d(bounds: Sequence[float]) -> dict[str, float]:
    left, top, right, bottom = bounds
    return {
        "box.center.x": (left + right) / 2,
        "box.center.y": (top + bottom) / 2,
        "box.size.x": float(right - left),
        "box.size.y": float(bottom - top),
    }


def _box_3d(box: Box) -> dict[str, float]:
    pose = box.pose_box_in_vehicle
    values = {f"camera_synced_box.center.{axis}": float(value) for axis, value in zip("xyz", pose[:3, 3], strict=True)}
    values |= {f"camera_synced_box.size.{axis}": float(value) for axis, value in zip("xyz", box.size, strict=True)}
    return values | {"camera_synced_box.heading": float(np.arctan2(pose[1, 0], pose[0, 0]))}
