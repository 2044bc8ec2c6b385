"""Lights and lanes of known place, in the frames in which they are recorded; boxes in a picture of known content."""

from types import SimpleNamespace

import numpy as np
import pytest

from phipd_sim2real.capture import rows
from phipd_sim2real.capture.object_labels import objects_in_picture
from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.capture.world_labels import lane_rows, traffic_light_rows
from phipd_sim2real.drivelog import SegmentWriter
from phipd_sim2real.drivelog.schema import LANE, TRAFFIC_LIGHT
from phipd_sim2real.motion_geometry import Box, sight_lines

carla = pytest.importorskip("carla", reason="needs the carla wheel")

MOUNT = CameraMount(camera=1, width=128, height=96, fov_degrees=70, position_in_vehicle=(2, 0, 1.6))
RIG = Rig(rear_axle_behind_origin_m=0, cameras=(MOUNT,))


def _moment(x, y, yaw):
    state = SimpleNamespace(
        get_transform=lambda: carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(0, yaw, 0)),
        get_velocity=lambda: carla.Vector3D(),
        get_angular_velocity=lambda: carla.Vector3D(),
    )
    return rows.ego_moment(state, RIG, 300_000)


def _light(number, x, y, state):
    stop = SimpleNamespace(transform=carla.Transform(carla.Location(x - 5, y, 0)))
    return SimpleNamespace(
        id=number,
        get_opendrive_id=lambda: str(100 + number),
        get_location=lambda: carla.Location(x, y, 5.0),
        get_stop_waypoints=lambda: [stop],
        get_state=lambda: state,
    )


def test_lights_are_recorded_in_the_vehicle_frame_with_waymos_states(tmp_path):
    states = carla.TrafficLightState
    lights = [_light(1, 30, 4, states.Red), _light(2, 40, -4, states.Green), _light(3, 30, 0, states.Off)]
    far = _light(4, 300, 0, states.Red)
    ego = SimpleNamespace(is_at_traffic_light=lambda: True, get_traffic_light=lambda: lights[0])
    found = traffic_light_rows([*lights, far], ego, _moment(10, 0, 0))
    prefix = "[TrafficLightComponent]."
    assert [row[TRAFFIC_LIGHT] for row in found] == ["101", "102", "103"]
    assert [row[prefix + "state"] for row in found] == [4, 6, 0]
    assert [row[prefix + "affects_ego"] for row in found] == [True, False, False]
    np.testing.assert_allclose([found[0][prefix + f"position.{axis}"] for axis in "xyz"], [20, -4, 5], atol=1e-5)
    np.testing.assert_allclose(found[0][prefix + "stop_points"], [15, -4, 0], atol=1e-5)
    with SegmentWriter(tmp_path, "a", "hash") as writer:
        for row in found:
            writer.append("traffic_light", row)


ROAD = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="" version="1"/>
<road name="" length="200" id="7" junction="-1"><link/>
<planView><geometry s="0" x="0" y="0" hdg="0" length="200"><line/></geometry></planView>
<lanes><laneSection s="0">
<left><lane id="1" type="driving" level="false"><link/><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
<center><lane id="0" type="none" level="false"><roadMark sOffset="0" type="broken" color="white" width="0.1"/></lane>
</center>
<right><lane id="-1" type="driving" level="false"><link/><width sOffset="0" a="3" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="solid" color="white" width="0.1"/></lane></right>
</laneSection></lanes></road></OpenDRIVE>"""


def test_lanes_run_the_way_they_are_driven_with_left_on_the_left(tmp_path):
    found = {row[LANE]: row for row in lane_rows(carla.Map("road", ROAD), np.array([[100.0, -1.5, 0.0]]))}
    assert set(found) == {"7/0/1", "7/0/-1"}

    def points(lane, field):
        return np.reshape(found[lane][f"[MapLaneComponent].{field}"], (-1, 3))

    for lane, direction, centre, half in (("7/0/-1", 1, -1.5, 1.5), ("7/0/1", -1, 1.75, 1.75)):
        assert (np.diff(points(lane, "centre")[:, 0]) * direction > 0).all()
        np.testing.assert_allclose(points(lane, "centre")[:, 1], centre, atol=1e-4)
        np.testing.assert_allclose(points(lane, "left_boundary")[:, 1], centre + direction * half, atol=1e-4)
        np.testing.assert_allclose(points(lane, "right_boundary")[:, 1], centre - direction * half, atol=1e-4)
    assert found["7/0/-1"]["[MapLaneComponent].right_marking"] == "Solid"
    assert found["7/0/-1"]["[MapLaneComponent].left_marking"] == "Broken"
    assert lane_rows(carla.Map("road", ROAD), np.array([[100.0, 500.0, 0.0]])) == []
    with SegmentWriter(tmp_path, "a", "hash") as writer:
        for row in found.values():
            writer.append("map_lane", row)


def _box(x, y, size=(4.0, 1.8, 1.5)):
    pose = np.eye(4)
    pose[:3, 3] = (x, y, size[2] / 2)
    return Box(pose, np.array(size))


def test_a_box_owns_the_movable_pixels_whose_points_lie_in_it():
    calibration, boxes = MOUNT.calibration(), [_box(14, 0), _box(30, 0.5), _box(-10, 0), _box(4.5, 2.2)]
    rays = sight_lines(calibration)
    depth, semantics = np.full((96, 128), 1000.0, np.float32), np.full((96, 128), 11, np.uint8)
    points = np.array([2, 0, 1.6]) + 10.5 * rays  # a wall at x = 12.5, the second one's front lies behind it
    inside = ((points > (12, -0.9, 0)) & (points < (16, 0.9, 1.5))).all(axis=1).reshape(96, 128)
    depth[inside], semantics[inside] = 10.5, 14
    found = {item.index: item for item in objects_in_picture(boxes, depth, semantics, calibration, rays)}
    assert 2 not in found, "behind the camera"
    assert found[0].visible_pixels == inside.sum() > 100
    rows_, columns = np.nonzero(inside)
    assert found[0].visible == (columns.min(), rows_.min(), columns.max() + 1, rows_.max() + 1)
    assert (found[1].visible_pixels, found[1].visible) == (0, None)
    left, _, right, bottom = found[0].outline
    assert left < columns.min() + 1
    assert right > columns.max()
    assert bottom > rows_.max()
    assert 0.5 < found[0].visible_share <= 1
    edge = found[3].outline
    assert edge[0] == 0, "cut off at the border, and its part beside the camera ignored"
    assert edge[1] >= 0
