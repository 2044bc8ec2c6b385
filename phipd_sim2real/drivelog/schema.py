"""Tables and columns of a drive log: Waymo Open Dataset v2 Perception, and our own components in its style.

A log is a folder `COMPONENT/SEGMENT.parquet`. Columns of the official components have the official names and
types, so that the official v2 reader opens them; components that it lacks follow the pattern.
"""

from __future__ import annotations

import pyarrow as pa

SEGMENT = "key.segment_context_name"
TIMESTAMP = "key.frame_timestamp_micros"
CAMERA = "key.camera_name"
OBJECT = "key.laser_object_id"
CAMERA_OBJECT = "key.camera_object_id"
LANE = "key.lane_id"
TRAFFIC_LIGHT = "key.traffic_light_id"
SORT_KEYS = (TIMESTAMP, CAMERA, OBJECT, CAMERA_OBJECT, LANE, TRAFFIC_LIGHT)

CLASS_NAMES = {
    "camera_image": "CameraImageComponent",
    "camera_calibration": "CameraCalibrationComponent",
    "vehicle_pose": "VehiclePoseComponent",
    "stats": "StatsComponent",
    "lidar_box": "LiDARBoxComponent",
    "camera_depth": "CameraDepthComponent",
    "camera_semantics": "CameraSemanticsComponent",
    "camera_instances": "CameraInstancesComponent",
    "ego_intent": "EgoIntentComponent",
    "camera_box": "CameraBoxComponent",
    "projected_lidar_box": "ProjectedLiDARBoxComponent",
    "lidar_camera_synced_box": "LiDARCameraSyncedBoxComponent",
    "object_visibility": "ObjectVisibilityComponent",
    "camera_flow": "CameraFlowComponent",
    "ego_state": "EgoStateComponent",
    "map_lane": "MapLaneComponent",
    "traffic_light": "TrafficLightComponent",
    "drive_scene": "DriveSceneComponent",
    "frame_gate": "FrameGateComponent",
}
"""Component -> class name, as it stands in the brackets of its columns."""

GLOBAL_SHUTTER = 5
BOX_VEHICLE, BOX_PEDESTRIAN, BOX_SIGN, BOX_CYCLIST = 1, 2, 3, 4
INTENT_UNKNOWN, INTENT_STRAIGHT, INTENT_LEFT, INTENT_RIGHT = range(4)
LIGHT_UNKNOWN, LIGHT_STOP, LIGHT_CAUTION, LIGHT_GO = 0, 4, 5, 6
"""States of a traffic light: those of Waymo's motion dataset (`TrafficSignalLaneState`) without arrows."""

_KEY_TYPES = {SEGMENT: pa.string(), TIMESTAMP: pa.int64(), CAMERA: pa.int8()}
_KEY_TYPES |= dict.fromkeys((OBJECT, CAMERA_OBJECT, LANE, TRAFFIC_LIGHT), pa.string())
_TRANSFORM = pa.list_(pa.float64(), 16)
_F64, _F32 = pa.float64(), pa.float32()


def column(component: str, field: str) -> str:
    """Column name of a field: `column("camera_image", "image")` is `[CameraImageComponent].image`."""
    return f"[{CLASS_NAMES[component]}].{field}"


def _xyz(prefix: str, dtype: pa.DataType) -> dict[str, pa.DataType]:
    return {f"{prefix}.{axis}": dtype for axis in "xyz"}


def _schema(component: str, keys: tuple[str, ...], fields: dict[str, pa.DataType]) -> pa.Schema:
    columns = {key: _KEY_TYPES[key] for key in keys}
    columns |= {column(component, field): dtype for field, dtype in fields.items()}
    return pa.schema(columns.items())


_FRAME = (SEGMENT, TIMESTAMP)
_FRAME_CAMERA = (SEGMENT, TIMESTAMP, CAMERA)
_BOX_2D = {f"box.{part}.{axis}": _F64 for part in ("center", "size") for axis in "xy"}
_BOX_3D_FIELDS = (*(f"box.{part}.{axis}" for part in ("center", "size") for axis in "xyz"), "box.heading")
_POINTS = pa.list_(_F64)

SCHEMAS: dict[str, pa.Schema] = {
    "camera_image": _schema(
        "camera_image",
        _FRAME_CAMERA,
        {"image": pa.binary(), "pose.transform": _TRANSFORM}
        | _xyz("velocity.linear_velocity", _F32)
        | _xyz("velocity.angular_velocity", _F64)
        | {"pose_timestamp": _F64}
        | {
            f"rolling_shutter_params.{name}": _F64
            for name in ("shutter", "camera_trigger_time", "camera_readout_done_time")
        },
    ),
    "camera_calibration": _schema(
        "camera_calibration",
        (SEGMENT, CAMERA),
        {f"intrinsic.{name}": _F64 for name in ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")}
        | {"extrinsic.transform": _TRANSFORM, "width": pa.int32(), "height": pa.int32()}
        | {"rolling_shutter_direction": pa.int8()},
    ),
    "vehicle_pose": _schema("vehicle_pose", _FRAME, {"world_from_vehicle.transform": _TRANSFORM}),
    "stats": _schema(
        "stats",
        _FRAME,
        {"time_of_day": pa.string(), "location": pa.string(), "weather": pa.string()}
        | {
            f"{sensor}_object_counts.{name}": pa.list_(dtype)
            for sensor in ("lidar", "camera")
            for name, dtype in (("types", pa.int8()), ("counts", pa.int32()))
        },
    ),
    "lidar_box": _schema(
        "lidar_box",
        (SEGMENT, TIMESTAMP, OBJECT),
        _xyz("box.center", _F64)
        | _xyz("box.size", _F64)
        | {"box.heading": _F64, "type": pa.int8()}
        | {"num_lidar_points_in_box": pa.int64(), "num_top_lidar_points_in_box": pa.int64()}
        | _xyz("speed", _F64)
        | _xyz("acceleration", _F64)
        | {f"difficulty_level.{task}": pa.int8() for task in ("detection", "tracking")},
    ),
    "camera_depth": _schema("camera_depth", _FRAME_CAMERA, {"image": pa.binary(), "metres_per_unit": _F64}),
    "camera_semantics": _schema("camera_semantics", _FRAME_CAMERA, {"image": pa.binary()}),
    "camera_instances": _schema("camera_instances", _FRAME_CAMERA, {"image": pa.binary()}),
    "ego_intent": _schema("ego_intent", _FRAME, {"intent": pa.int8()}),
    "camera_box": _schema(
        "camera_box",
        (*_FRAME_CAMERA, CAMERA_OBJECT),
        _BOX_2D | {"type": pa.int8()} | {f"difficulty_level.{task}": pa.int8() for task in ("detection", "tracking")},
    ),
    "projected_lidar_box": _schema("projected_lidar_box", (*_FRAME_CAMERA, OBJECT), _BOX_2D | {"type": pa.int8()}),
    "lidar_camera_synced_box": _schema(
        "lidar_camera_synced_box",
        (SEGMENT, TIMESTAMP, OBJECT),
        {"most_visible_camera_name": pa.int8()} | {f"camera_synced_{field}": _F64 for field in _BOX_3D_FIELDS},
    ),
    "object_visibility": _schema(
        "object_visibility",
        (*_FRAME_CAMERA, OBJECT),
        {"visible_pixels": pa.int32(), "outline_pixels": pa.int32(), "visible_share": _F64},
    ),
    "camera_flow": _schema("camera_flow", _FRAME_CAMERA, {"image": pa.binary(), "to_timestamp_micros": pa.int64()}),
    "ego_state": _schema(
        "ego_state",
        _FRAME,
        {
            **_xyz("linear_velocity", _F64),
            **_xyz("linear_acceleration", _F64),
            **_xyz("angular_velocity", _F64),
            **{f"control.{name}": _F64 for name in ("throttle", "brake", "steer")},
            **{f"control.{name}": pa.bool_() for name in ("hand_brake", "reverse")},
            "control.gear": pa.int32(),
            "speed_limit": _F64,
        },
    ),
    "map_lane": _schema(
        "map_lane",
        (SEGMENT, LANE),
        {"centre": _POINTS, "left_boundary": _POINTS, "right_boundary": _POINTS}
        | {"lane_type": pa.string(), "left_marking": pa.string(), "right_marking": pa.string()}
        | {"is_junction": pa.bool_()},
    ),
    "traffic_light": _schema(
        "traffic_light",
        (*_FRAME, TRAFFIC_LIGHT),
        _xyz("position", _F64) | {"stop_points": _POINTS, "state": pa.int8(), "affects_ego": pa.bool_()},
    ),
    "frame_gate": _schema(
        "frame_gate",
        _FRAME_CAMERA,
        {"accepted": pa.bool_(), "cutoff": _F64, "tries": pa.int32(), "failed": pa.string()}
        | {name: _F64 for name in ("lane_edge_recall", "label_safety", "flow_epe")},
    ),
    "drive_scene": _schema(
        "drive_scene",
        (SEGMENT,),
        {name: pa.string() for name in ("map", "weather", "traffic", "scene")}
        | {"shown": pa.bool_(), "attempts": pa.int32(), "cars": pa.int32()}
        | {f"seconds.{scene}": _F64 for scene in ("straight", "turn", "stop", "follow")}
        | {"weather_parameters": pa.map_(pa.string(), _F64)},
    ),
}
"""Arrow schema of every component.

Boxes are in the vehicle frame, metres; 2-D boxes in px with the first pixel's corner at 0. Instances hold the object's
number in its segment (with CARLA, the 16-bit id of the instance camera). Ego velocities and accelerations are those of
the rear axle in the vehicle frame, m/s and m/s²; steer is -1…1, positive to the left. Lane points are x, y, z in the
world frame of `vehicle_pose`, one after the other; positions and stop points of lights are in the vehicle frame.
`frame_gate` is a gated log's own: what became of each frame, the last cutoff that was tried, and what it failed there.
"""

_OPTIONAL = {
    "stats": ("lidar_object_counts.", "camera_object_counts."),
    "lidar_box": ("speed.", "acceleration.", "difficulty_level."),
    "camera_box": ("difficulty_level.",),
}


def optional_columns(component: str) -> frozenset[str]:
    """Columns that a row may leave out; they are null then, as in the official schema."""
    prefixes = tuple(column(component, field) for field in _OPTIONAL.get(component, ()))
    return frozenset(name for name in SCHEMAS[component].names if prefixes and name.startswith(prefixes))
