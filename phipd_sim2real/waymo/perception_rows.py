"""A Perception v1 frame as rows of the v2 tables: pictures, pose, stats, boxes in three and in two dimensions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from phipd_sim2real.drivelog.schema import CAMERA, CAMERA_OBJECT, OBJECT, TIMESTAMP, column
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES
from phipd_sim2real.waymo.protos import read_calibrations
from phipd_sim2real.waymo.sample import SampleError

Row = tuple[str, dict[str, Any]]
"""Component and its row; the segment is left to the writer."""

COMPONENTS = (
    "camera_image",
    "camera_calibration",
    "vehicle_pose",
    "stats",
    "lidar_box",
    "camera_box",
    "projected_lidar_box",
    "lidar_camera_synced_box",
)
"""What is carried over. Lidar, segmentation, key points and the map are not: no stage here uses them."""

_CAMERA_IDS = {name: camera for camera, name in CAMERA_NAMES.items()}
_INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")


def require_whole(frame: Any, origin: str) -> None:
    """Refuses a Frame message of which no rows can be made; `origin` names file and record.

    Raises:
        SampleError: its pose, a calibration or a picture's pose lacks numbers, or a camera is none of Waymo's.
    """
    read_calibrations(frame.context, origin)
    if len(frame.pose.transform) != 16:
        raise SampleError("incomplete_record", f"{origin} has no pose of 16 numbers.")
    for picture in frame.images:
        if picture.image and len(picture.pose.transform) != 16:
            raise SampleError("incomplete_record", f"{origin}: the picture of camera {picture.name} has no pose.")
    named = (*frame.images, *frame.context.camera_calibrations, *frame.camera_labels, *frame.projected_lidar_labels)
    if unknown := sorted({entry.name for entry in named} - set(CAMERA_NAMES)):
        raise SampleError("incomplete_record", f"{origin} names cameras {unknown}; Waymo's are {sorted(CAMERA_NAMES)}.")


def calibration_rows(context: Any, cameras: Collection[int] | None) -> Iterator[Row]:
    """Calibrations of the wanted cameras (None: all), from a Context message."""
    for proto in context.camera_calibrations:
        if cameras is None or proto.name in cameras:
            values = {f"intrinsic.{name}": value for name, value in zip(_INTRINSICS, proto.intrinsic, strict=True)}
            values |= {"extrinsic.transform": list(proto.extrinsic.transform)}
            values |= {"width": proto.width, "height": proto.height}
            values |= {"rolling_shutter_direction": proto.rolling_shutter_direction}
            yield _row("camera_calibration", {CAMERA: proto.name}, values)


def frame_rows(frame: Any, cameras: Collection[int] | None) -> Iterator[Row]:
    """Rows of one Frame message, two-dimensional ones for the wanted cameras only (None: all)."""
    key = {TIMESTAMP: frame.timestamp_micros}
    yield _row("vehicle_pose", key, {"world_from_vehicle.transform": list(frame.pose.transform)})
    yield _row("stats", key, _stats(frame.context.stats))
    for image in frame.images:
        if image.image and (cameras is None or image.name in cameras):
            yield _row("camera_image", key | {CAMERA: image.name}, _image(image))
    for label in frame.laser_labels:
        yield _row("lidar_box", key | {OBJECT: label.id}, _lidar_box(label))
        if label.HasField("camera_synced_box"):
            yield _row("lidar_camera_synced_box", key | {OBJECT: label.id}, _synced_box(label))
    yield from _flat_boxes("camera_box", frame.camera_labels, key, cameras)
    yield from _flat_boxes("projected_lidar_box", frame.projected_lidar_labels, key, cameras)


def _row(component: str, key: dict[str, Any], values: dict[str, Any]) -> Row:
    return component, key | {column(component, field): value for field, value in values.items()}


def _image(image: Any) -> dict[str, Any]:
    velocity = image.velocity
    return {
        "image": image.image,
        "pose.transform": list(image.pose.transform),
        **{f"velocity.linear_velocity.{axis}": getattr(velocity, f"v_{axis}") for axis in "xyz"},
        **{f"velocity.angular_velocity.{axis}": getattr(velocity, f"w_{axis}") for axis in "xyz"},
        "pose_timestamp": image.pose_timestamp,
        "rolling_shutter_params.shutter": image.shutter,
        "rolling_shutter_params.camera_trigger_time": image.camera_trigger_time,
        "rolling_shutter_params.camera_readout_done_time": image.camera_readout_done_time,
    }


def _stats(stats: Any) -> dict[str, Any]:
    values = {"time_of_day": stats.time_of_day, "location": stats.location, "weather": stats.weather}
    for sensor, counts in (("lidar", stats.laser_object_counts), ("camera", stats.camera_object_counts)):
        values[f"{sensor}_object_counts.types"] = [entry.type for entry in counts]
        values[f"{sensor}_object_counts.counts"] = [entry.count for entry in counts]
    return values


def _lidar_box(label: Any) -> dict[str, Any]:
    return {
        **_box_3d(label.box),
        "type": label.type,
        "num_lidar_points_in_box": label.num_lidar_points_in_box,
        "num_top_lidar_points_in_box": label.num_top_lidar_points_in_box,
        **{f"speed.{axis}": _given(label.metadata, f"speed_{axis}") for axis in "xyz"},
        **{f"acceleration.{axis}": _given(label.metadata, f"accel_{axis}") for axis in "xyz"},
        **_difficulty(label),
    }


def _synced_box(label: Any) -> dict[str, Any]:
    box = {f"camera_synced_{field}": value for field, value in _box_3d(label.camera_synced_box).items()}
    return {"most_visible_camera_name": _CAMERA_IDS.get(label.most_visible_camera_name, 0), **box}


def _flat_boxes(
    component: str, labels_of_cameras: Sequence[Any], key: dict[str, Any], cameras: Collection[int] | None
) -> Iterator[Row]:
    """Boxes in pictures. In v1 their length lies along x and their width along y."""
    object_key = CAMERA_OBJECT if component == "camera_box" else OBJECT
    for of_camera in labels_of_cameras:
        if cameras is not None and of_camera.name not in cameras:
            continue
        suffix = f"_{CAMERA_NAMES[of_camera.name]}"  # v1 appends the camera to a projected box's object
        for label in of_camera.labels:
            box = label.box
            values = {"box.center.x": box.center_x, "box.center.y": box.center_y}
            values |= {"box.size.x": box.length, "box.size.y": box.width, "type": label.type}
            values |= _difficulty(label) if component == "camera_box" else {}
            yield _row(component, key | {CAMERA: of_camera.name, object_key: label.id.removesuffix(suffix)}, values)


def _box_3d(box: Any) -> dict[str, float]:
    values = {f"box.center.{axis}": getattr(box, f"center_{axis}") for axis in "xyz"}
    sizes = zip("xyz", (box.length, box.width, box.height), strict=True)
    return values | {f"box.size.{axis}": size for axis, size in sizes} | {"box.heading": box.heading}


def _difficulty(label: Any) -> dict[str, int | None]:
    return {f"difficulty_level.{task}": _given(label, f"{task}_difficulty_level") for task in ("detection", "tracking")}


def _given(message: Any, field: str) -> Any:
    """A field's value; None where it is not set."""
    return getattr(message, field) if message.HasField(field) else None
