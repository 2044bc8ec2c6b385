"""Rows of what surrounds the ego and moves it: its state and controls, lanes, traffic lights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.drivelog import TIMESTAMP, column
from phipd_sim2real.drivelog.schema import (
    LANE,
    LIGHT_CAUTION,
    LIGHT_GO,
    LIGHT_STOP,
    LIGHT_UNKNOWN,
    TRAFFIC_LIGHT,
)
from phipd_sim2real.geometry import invert, transform_points, vector_from_carla

if TYPE_CHECKING:
    import carla

    from phipd_sim2real.capture.rows import EgoMoment, Row

KMH = 1 / 3.6
LANE_STEP_M = 2.0
LANE_RANGE_M = 80.0
"""Lanes are recorded that come this near to the ego at some time of the drive."""

LIGHT_RANGE_M = 100.0
LIGHT_STATES = {"Red": LIGHT_STOP, "Yellow": LIGHT_CAUTION, "Green": LIGHT_GO}


def control_values(ego: carla.Vehicle) -> dict[str, Any]:
    """Pedals, wheel and speed limit (m/s) of this tick; steer is positive to the left."""
    control = ego.get_control()
    return {
        "control.throttle": float(control.throttle),
        "control.brake": float(control.brake),
        "control.steer": -float(control.steer),
        "control.hand_brake": bool(control.hand_brake),
        "control.reverse": bool(control.reverse),
        "control.gear": int(control.gear),
        "speed_limit": float(ego.get_speed_limit()) * KMH,
    }


def ego_state_rows(moments: Sequence[EgoMoment], controls: Sequence[dict[str, Any]]) -> list[Row]:
    """Rows of ego_state. Acceleration is the derivative of the rear axle's velocity over neighbouring moments."""
    times_s = np.array([moment.timestamp_micros for moment in moments]) / 1e6
    acceleration = np.gradient(np.stack([moment.velocity_in_world for moment in moments]), times_s, axis=0)
    result = []
    for moment, in_world, values in zip(moments, acceleration, controls, strict=True):
        vehicle_from_world = moment.pose_vehicle_in_world[:3, :3].T
        row: Row = dict(values)
        for name, vector in (
            ("linear_velocity", moment.velocity_in_world),
            ("linear_acceleration", in_world),
            ("angular_velocity", moment.angular_velocity_in_world),
        ):
            turned = vehicle_from_world @ vector
            row |= {f"{name}.{axis}": float(value) for axis, value in zip("xyz", turned, strict=True)}
        result.append(
            {TIMESTAMP: moment.timestamp_micros} | {column("ego_state", name): value for name, value in row.items()}
        )
    return result


def lane_rows(map_: carla.Map, ego_positions: np.ndarray) -> list[Row]:
    """Rows of map_lane: the whole of every driving lane that comes within `LANE_RANGE_M` of the ego.

    Args:
        map_: of the episode.
        ego_positions: (N, 3) world metres, right-handed.
    """
    lanes: dict[tuple[int, int, int], list[carla.Waypoint]] = defaultdict(list)
    for waypoint in map_.generate_waypoints(LANE_STEP_M):
        lanes[waypoint.road_id, waypoint.section_id, waypoint.lane_id].append(waypoint)
    result = []
    for key, waypoints in sorted(lanes.items()):
        # Lanes with positive ids run against the road's direction.
        waypoints.sort(key=lambda waypoint: waypoint.s, reverse=key[2] > 0)
        centre = np.stack([_position(waypoint.transform.location) for waypoint in waypoints])
        away = np.linalg.norm(centre[:, None, :2] - ego_positions[None, :, :2], axis=-1)
        if away.min() <= LANE_RANGE_M:
            result.append(_lane_row("/".join(map(str, key)), waypoints, centre))
    return result


def traffic_light_rows(lights: Sequence[carla.TrafficLight], ego: carla.Vehicle, moment: EgoMoment) -> list[Row]:
    """Rows of traffic_light for the lights within `LIGHT_RANGE_M`."""
    vehicle_from_world = invert(moment.pose_vehicle_in_world)
    ruling = ego.get_traffic_light() if ego.is_at_traffic_light() else None
    result = []
    for light in lights:
        position = transform_points(vehicle_from_world, _position(light.get_location()))
        if np.hypot(position[0], position[1]) > LIGHT_RANGE_M:
            continue
        stops = [_position(waypoint.transform.location) for waypoint in light.get_stop_waypoints()]
        values: Row = {f"position.{axis}": float(value) for axis, value in zip("xyz", position, strict=True)}
        values |= {
            "stop_points": transform_points(vehicle_from_world, np.array(stops)).ravel() if stops else [],
            "state": LIGHT_STATES.get(str(light.get_state()), LIGHT_UNKNOWN),
            "affects_ego": ruling is not None and ruling.id == light.id,
        }
        keys = {TIMESTAMP: moment.timestamp_micros, TRAFFIC_LIGHT: light_name(light)}
        result.append(keys | {column("traffic_light", name): value for name, value in values.items()})
    return result


def light_name(light: carla.TrafficLight) -> str:
    """The signal's id in the map; it does not depend on what the server did before, as actor ids do."""
    return str(light.get_opendrive_id())


def _lane_row(name: str, waypoints: Sequence[carla.Waypoint], centre: np.ndarray) -> Row:
    half_left = np.stack([-_position(w.transform.get_right_vector()) * w.lane_width / 2 for w in waypoints])
    values = {
        "centre": centre.ravel(),
        "left_boundary": (centre + half_left).ravel(),
        "right_boundary": (centre - half_left).ravel(),
        "lane_type": str(waypoints[0].lane_type),
        "left_marking": _marking(waypoints[0].left_lane_marking),
        "right_marking": _marking(waypoints[0].right_lane_marking),
        "is_junction": bool(waypoints[0].is_junction),
    }
    return {LANE: name} | {column("map_lane", field): value for field, value in values.items()}


def _marking(marking: carla.LaneMarking | None) -> str:
    """CARLA's word for the kind of line; lanes without one have None."""
    return "NONE" if marking is None else str(marking.type)


def _position(vector: carla.Vector3D) -> np.ndarray:
    return vector_from_carla([vector.x, vector.y, vector.z])
