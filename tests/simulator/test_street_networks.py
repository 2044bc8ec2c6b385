"""Generated towns, roads and the motorway: driven in carla.Map, stood on in the mesh, seen from above."""

from __future__ import annotations

import random

import numpy as np
import pytest

from phipd_sim2real.simulator.maps import MAPS, Circuit, opendrive
from phipd_sim2real.simulator.network_xml import network_opendrive
from phipd_sim2real.simulator.road_mesh import road_mesh
from phipd_sim2real.simulator.road_surface import RoadSurface
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.signals import SPEED_LIMIT, STOP, TRAFFIC_LIGHT, YIELD

carla = pytest.importorskip("carla", reason="needs the carla wheel: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

NETWORKS = [name for name, spec in MAPS.items() if not isinstance(spec.plan, Circuit)]
WITH_HEIGHTS = {"Terrace01", "Fells01", "Motorway01"}


@pytest.fixture(params=NETWORKS, scope="module")
def name(request) -> str:
    return request.param


def the_map(name: str) -> carla.Map:
    return carla.Map(name, opendrive(name))


def test_there_are_six_of_them_on_both_sides():
    assert len(NETWORKS) >= 6
    assert {MAPS[name].domain for name in NETWORKS} == {"source", "target"}


def test_same_bytes_every_time(name):
    assert network_opendrive(MAPS[name].plan()) == opendrive(name)


def test_from_every_spawn_point_one_drives_on_for_ever(name):
    world_map, choice = the_map(name), random.Random(0)
    visited = set()
    for point in Roads(name, opendrive(name)).spawn_points:
        waypoint = world_map.get_waypoint(carla.Location(*point.location))
        for _ in range(250):
            following = waypoint.next(2.0)
            assert following, (waypoint.road_id, waypoint.lane_id, waypoint.s)
            ahead = choice.choice(following)
            gap = ahead.transform.location.distance(waypoint.transform.location)
            assert 1.5 < gap < 2.5, (waypoint.road_id, ahead.road_id, gap)
            waypoint = ahead
            visited.add((waypoint.road_id, waypoint.is_junction))
    assert {inside for _, inside in visited} == {True, False}


def test_roads_meet_without_steps(name):
    checked = 0
    for _, end in the_map(name).get_topology():
        for after in end.next(0.1):
            step = after.transform.location.z - end.transform.location.z
            assert abs(step) < 0.05
            assert after.transform.location.distance(end.transform.location) < 0.3
            checked += 1
    assert checked > 10


def test_junctions_are_level_or_gentle_and_roads_as_steep_as_meant(name):
    waypoints = the_map(name).generate_waypoints(3.0)
    grade = np.abs(np.tan(np.radians([(w.transform.rotation.pitch + 180) % 360 - 180 for w in waypoints])))
    assert grade.max() < 0.1
    assert (grade.max() > 0.06) == (name in WITH_HEIGHTS)
    assert all(2.9 < w.lane_width < 6 for w in waypoints)


def test_lights_have_stops_and_phases_and_signs_are_read(name):
    signals = Roads(name, opendrive(name)).signals
    kinds = {signal.kind for signal in signals}
    assert SPEED_LIMIT in kinds
    assert kinds & {TRAFFIC_LIGHT, STOP, YIELD}
    world_map = the_map(name)
    for signal in signals:
        assert signal.stops
        for stop in signal.stops:
            waypoint = world_map.get_waypoint_xodr(stop.road_id, stop.lane_id, stop.s)
            assert not waypoint.is_junction
            to_driver = np.subtract(stop.transform.location, signal.foot.location)[:2]
            assert np.linalg.norm(to_driver) < 18
            facing = (signal.foot.rotation[1] - stop.transform.rotation[1]) % 360
            assert facing == pytest.approx(180, abs=1)
        assert (signal.group is not None) == (signal.kind == TRAFFIC_LIGHT)
    groups = [signal.group for signal in signals if signal.group]
    for junction in {group.junction for group in groups}:
        phases = {group.phase for group in groups if group.junction == junction}
        assert phases == set(range(len(phases)))
        assert len(phases) >= 2


def test_carla_finds_the_light_ahead():
    world_map = the_map("Market01")
    light = next(s for s in Roads("Market01", opendrive("Market01")).signals if s.kind == TRAFFIC_LIGHT)
    stop = light.stops[0]
    waypoint = world_map.get_waypoint_xodr(stop.road_id, stop.lane_id, stop.s).previous(20.0)[0]
    found = waypoint.get_landmarks_of_type(40.0, TRAFFIC_LIGHT)
    assert light.signal_id in {landmark.id for landmark in found}


def test_wheels_stand_where_waypoints_are(name):
    roads, world_map = Roads(name, opendrive(name)), the_map(name)
    waypoints = world_map.generate_waypoints(2.0)
    for waypoint in random.Random(1).sample(waypoints, 200):
        at = waypoint.transform.location
        assert roads.heights(np.array([[at.x, at.y, at.z]]))[0] == pytest.approx(at.z, abs=0.05)


def test_the_nearest_surface_below_is_taken_on_and_under_a_bridge():
    roads = Roads("Motorway01", opendrive("Motorway01"))
    assert roads.heights(np.array([[2.0, -160.0 - 8.0, 7.2]]))[0] == pytest.approx(7.0, abs=0.05)
    assert roads.heights(np.array([[2.0, -160.0 - 8.0, 0.1]]))[0] == pytest.approx(0.0, abs=0.05)


def test_the_ground_lies_below_every_road_and_meets_its_edges(name):
    mesh = road_mesh(name, opendrive(name))
    centres = np.array(mesh.centres)
    below = centres[:, 2] - mesh.grade.height(centres[:, :2])
    assert below.min() > 0.1
    points = np.concatenate([edge.points for edge in mesh.edges])
    outside = np.concatenate([edge.points[:, :2] + edge.outward * 3.0 for edge in mesh.edges])
    gap = points[:, 2] - mesh.grade.height(outside)
    assert gap.max() < 1.7
    assert np.median(gap) < 0.6


def test_no_paint_lies_in_a_junction(name):
    mesh = road_mesh(name, opendrive(name))
    inside = [w for w in the_map(name).generate_waypoints(2.0) if w.is_junction]
    inside = [w for w in inside if all(v.is_junction for v in (*w.next(1.0), *w.previous(1.0)))]
    points = np.array([(w.transform.location.x, -w.transform.location.y, w.transform.location.z) for w in inside])
    painted = RoadSurface(np.concatenate([part.vertices[(part.marks > 0).any(1)] for part in mesh.parts]))
    found = painted.heights(points)
    assert len(points) > 20
    assert not (np.abs(found - points[:, 2]) < 0.5).any()
    assert np.isfinite(mesh.surface.heights(points)).all()
