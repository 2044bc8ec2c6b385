"""From the state of the world to rows of the drive log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.capture import scenes
from phipd_sim2real.capture.cameras import Picture
from phipd_sim2real.capture.plan import PlannedSegment
from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.capture.scenes import DriveTrack
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
from phipd_sim2real.motion_geometry import Box

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

    @property
    def name(self) -> str:
        """As in `key.laser_object_id`."""
        return f"{self.label_id:04d}"


def tracked_objects(world: carla.World, ego: carla.Vehicle) -> list[TrackedObject]:
    """All labelled actors beside the ego, numbered from 2 in the order of their ids; the ego is 1."""
    others = [
        actor
        for actor in world.get_actors()
        if actor.id != ego.id and actor.type_id.startswith(("vehicle.", "walker."))
    ]
    return [track(actor, label) for label, actor in enumerate(sorted(others, key=lambda actor: actor.id), start=2)]


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
    """Row of lidar_box in the vehicle frame; None beyond `BOX_RANGE_M`. Speed and acceleration are over ground."""
    pose_vehicle_from_world = invert(moment.pose_vehicle_in_world)
    pose_actor_in_vehicle = pose_vehicle_from_world @ carla_pose(state.get_transform())
    centre = transform_points(pose_actor_in_vehicle, tracked.centre_in_actor)
    if np.hypot(centre[0], centre[1]) > BOX_RANGE_M:
        return None
    speed, acceleration = (
        pose_vehicle_from_world[:3, :3] @ vector_from_carla([in_world.x, in_world.y, in_world.z])
        for in_world in (state.get_velocity(), state.get_acceleration())
    )
    values = {
        "box.heading": float(yaw_of(pose_actor_in_vehicle)),
        "type": tracked.kind,
        "num_lidar_points_in_box": 0,
        "num_top_lidar_points_in_box": 0,
    }
    vectors = {"box.center": centre, "box.size": tracked.size, "speed": speed, "acceleration": acceleration}
    for prefix, vector in vectors.items():
        values |= {f"{prefix}.{axis}": float(value) for axis, value in zip("xyz", vector, strict=True)}
    keys = {TIMESTAMP: moment.timestamp_micros, OBJECT: tracked.name}
    return keys | {column("lidar_box", name): value for name, value in values.items()}


def box_of(row: Row) -> Box:
    """Pose and size of a row of lidar_box."""
    centre, size = (
        np.array([row[column("lidar_box", f"box.{part}.{axis}")] for axis in "xyz"]) for part in ("center", "size")
    )
    heading = row[column("lidar_box", "box.heading")]
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
    pose[:3, 3] = centre
    return Box(pose, size)


def vehicles_around(
    moment: EgoMoment, tracked: Sequence[TrackedObject], snapshot: carla.WorldSnapshot
) -> tuple[np.ndarray, np.ndarray]:
    """(M, 2) middles in the vehicle frame, metres, and (M,) headings, rad, of the other vehicles."""
    pose_vehicle_from_world = invert(moment.pose_vehicle_in_world)
    poses = [
        pose_vehicle_from_world @ carla_pose(snapshot.find(item.actor_id).get_transform())
        for item in tracked
        if item.kind == BOX_VEHICLE
    ]
    stacked = np.stack(poses) if poses else np.zeros((0, 4, 4))
    return stacked[:, :2, 3], yaw_of(stacked)


def drive_track(moments: Sequence[EgoMoment], ahead_m: np.ndarray) -> DriveTrack:
    """The ego's motion; `ahead_m` as in `DriveTrack`."""
    times_s = np.array([moment.timestamp_micros for moment in moments]) / 1e6
    return scenes.track(times_s, np.stack([moment.pose_vehicle_in_world for moment in moments]), ahead_m)


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


def scene_row(segment: PlannedSegment, drive: DriveTrack, weather: dict[str, float], attempts: int, cars: int) -> Row:
    """Row of drive_scene: what was planned, and what the recorded drive shows."""
    values: Row = {
        "map": segment.short_map_name,
        "weather": segment.weather,
        "traffic": segment.traffic,
        "scene": segment.scene,
        "shown": scenes.shows(drive, segment.scene),
        "attempts": attempts,
        "cars": cars,
        "weather_parameters": list(weather.items()),
    }
    values |= {f"seconds.{scene}": seconds for scene, seconds in scenes.seconds_of(drive).items()}
    return {column("drive_scene", name): value for name, value in values.items()}


def intent_row(timestamp_micros: int, intent: int) -> Row:
    """Row of ego_intent."""
    return {TIMESTAMP: timestamp_micros, column("ego_intent", "intent"): intent}


def _kind(actor: carla.Actor) -> int:
    if actor.type_id.startswith("walker."):
        return BOX_PEDESTRIAN
    return BOX_CYCLIST if actor.attributes.get("base_type") == "bicycle" else BOX_VEHICLE
