"""From the state of the world to rows of the drive log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.capture.cameras import Picture
from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.drivelog import CAMERA, METRES_PER_UNIT, OBJECT, TIMESTAMP, column
from phipd_sim2real.drivelog.images import encode_depth, encode_jpeg, encode_labels
from phipd_sim2real.drivelog.schema import BOX_CYCLIST, BOX_PEDESTRIAN, BOX_VEHICLE, GLOBAL_SHUTTER
from phipd_sim2real.geometry import (
    angular_velocity_from_carla,
    invert,
    pose_from_carla,
    transform_points,
    vector_from_carla,
    yaw_of,
)

if TYPE_CHECKING:
    import carla

INTRINSIC_NAMES = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
BOX_RANGE_M = 100.0

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class EgoMoment:
    """The ego at one tick.

    Attributes:
        timestamp_micros: time since the recording began.
        pose_vehicle_in_world: (4, 4) rear axle, right-handed.
        velocity_in_world: (3,) m/s of the rear axle.
        angular_velocity_in_world: (3,) rad/s.
    """

    timestamp_micros: int
    pose_vehicle_in_world: np.ndarray
    velocity_in_world: np.ndarray
    angular_velocity_in_world: np.ndarray


@dataclass(frozen=True, eq=False)
class TrackedObject:
    """A labelled actor, its unchanging part.

    Attributes:
        actor_id: on the server.
        label_id: in the log, counted per segment, so that it does not depend on what the server did before.
        kind: Waymo's box type.
        centre_in_actor: (3,) middle of the box in the actor's frame, right-handed, metres.
        size: (3,) length, width, height, metres.
    """

    actor_id: int
    label_id: int
    kind: int
    centre_in_actor: np.ndarray
    size: np.ndarray


def track(actor: carla.Actor, label_id: int) -> TrackedObject:
    """Reads the box of an actor; asks the server once."""
    box = actor.bounding_box
    centre = vector_from_carla([box.location.x, box.location.y, box.location.z])
    size = 2 * np.array([box.extent.x, box.extent.y, box.extent.z])
    return TrackedObject(actor.id, label_id, _kind(actor), centre, size)


def ego_moment(state: carla.ActorSnapshot, rig: Rig, timestamp_micros: int) -> EgoMoment:
    """Moves the actor's state to the rear axle."""
    pose_actor_in_world = carla_pose(state.get_transform())
    pose_vehicle_in_world = pose_actor_in_world @ rig.pose_vehicle_in_actor()
    velocity, turning = state.get_velocity(), state.get_angular_velocity()
    angular_velocity = angular_velocity_from_carla([turning.x, turning.y, turning.z])
    lever = pose_vehicle_in_world[:3, 3] - pose_actor_in_world[:3, 3]
    rear_velocity = vector_from_carla([velocity.x, velocity.y, velocity.z]) + np.cross(angular_velocity, lever)
    return EgoMoment(timestamp_micros, pose_vehicle_in_world, rear_velocity, angular_velocity)


def carla_pose(transform: carla.Transform) -> np.ndarray:
    """(4, 4) right-handed pose of a `carla.Transform`."""
    location, rotation = transform.location, transform.rotation
    return pose_from_carla((location.x, location.y, location.z), (rotation.pitch, rotation.yaw, rotation.roll))


def pose_row(moment: EgoMoment) -> Row:
    """Row of vehicle_pose."""
    transform = column("vehicle_pose", "world_from_vehicle.transform")
    return {TIMESTAMP: moment.timestamp_micros, transform: moment.pose_vehicle_in_world}


def box_row(moment: EgoMoment, tracked: TrackedObject, state: carla.ActorSnapshot) -> Row | None:
    """Row of lidar_box in the vehicle frame; None beyond `BOX_RANGE_M`. The speed is over ground."""
    pose_vehicle_from_world = invert(moment.pose_vehicle_in_world)
    pose_actor_in_vehicle = pose_vehicle_from_world @ carla_pose(state.get_transform())
    centre = transform_points(pose_actor_in_vehicle, tracked.centre_in_actor)
    if np.hypot(centre[0], centre[1]) > BOX_RANGE_M:
        return None
    velocity = state.get_velocity()
    speed = pose_vehicle_from_world[:3, :3] @ vector_from_carla([velocity.x, velocity.y, velocity.z])
    values = {
        "box.heading": float(yaw_of(pose_actor_in_vehicle)),
        "type": tracked.kind,
        "num_lidar_points_in_box": 0,
        "num_top_lidar_points_in_box": 0,
    }
    for prefix, vector in (("box.center", centre), ("box.size", tracked.size), ("speed", speed)):
        values |= {f"{prefix}.{axis}": float(value) for axis, value in zip("xyz", vector, strict=True)}
    keys = {TIMESTAMP: moment.timestamp_micros, OBJECT: f"{tracked.label_id:04d}"}
    return keys | {column("lidar_box", name): value for name, value in values.items()}


def image_rows(moment: EgoMoment, camera: int, picture: Picture, jpeg_quality: int) -> dict[str, Row]:
    """Rows of camera_image and of the label tables, by component."""
    keys = {TIMESTAMP: moment.timestamp_micros, CAMERA: camera}
    seconds = moment.timestamp_micros / 1e6
    image: Row = {
        "image": encode_jpeg(picture.rgb, jpeg_quality),
        "pose.transform": moment.pose_vehicle_in_world,
        "pose_timestamp": seconds,
        "rolling_shutter_params.shutter": 0.0,
        "rolling_shutter_params.camera_trigger_time": seconds,
        "rolling_shutter_params.camera_readout_done_time": seconds,
    }
    for kind, vector in (
        ("linear", moment.velocity_in_world),
        ("angular", moment.angular_velocity_in_world),
    ):
        for axis, value in zip("xyz", vector, strict=True):
            image[f"velocity.{kind}_velocity.{axis}"] = float(value)
    rows = {"camera_image": image}
    if picture.depth_m is not None:
        rows["camera_depth"] = {"image": encode_depth(picture.depth_m), "metres_per_unit": METRES_PER_UNIT}
        rows["camera_semantics"] = {"image": encode_labels(picture.semantics)}
        rows["camera_instances"] = {"image": encode_labels(picture.instances)}
    return {
        component: keys | {column(component, name): value for name, value in row.items()}
        for component, row in rows.items()
    }


def calibration_row(mount: CameraMount) -> Row:
    """Row of camera_calibration."""
    calibration = mount.calibration()
    values: Row = dict(
        zip((f"intrinsic.{name}" for name in INTRINSIC_NAMES), calibration.intrinsic.tolist(), strict=True)
    )
    values |= {"extrinsic.transform": calibration.extrinsic, "width": mount.width, "height": mount.height}
    values["rolling_shutter_direction"] = GLOBAL_SHUTTER
    return {CAMERA: mount.camera} | {column("camera_calibration", name): value for name, value in values.items()}


def stats_row(moment: EgoMoment, location: str, weather: dict[str, float], kinds: list[int]) -> Row:
    """Row of stats; the kinds are those of the boxes of this moment."""
    types, counts = np.unique(np.array(kinds, dtype=np.int64), return_counts=True)
    altitude = weather["sun_altitude_angle"]
    values = {
        "time_of_day": "Day" if altitude > 10 else "Dawn/Dusk" if altitude > -6 else "Night",
        "location": location,
        "weather": "rain" if weather["wetness"] > 30 else "sunny",
        "lidar_object_counts.types": types.tolist(),
        "lidar_object_counts.counts": counts.tolist(),
    }
    keys = {TIMESTAMP: moment.timestamp_micros}
    return keys | {column("stats", name): value for name, value in values.items()}


def intent_row(timestamp_micros: int, intent: int) -> Row:
    """Row of ego_intent."""
    return {TIMESTAMP: timestamp_micros, column("ego_intent", "intent"): intent}


def _kind(actor: carla.Actor) -> int:
    if actor.type_id.startswith("walker."):
        return BOX_PEDESTRIAN
    return BOX_CYCLIST if actor.attributes.get("base_type") == "bicycle" else BOX_VEHICLE
