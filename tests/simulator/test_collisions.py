"""Collisions by conservation laws, and what stands beside the road."""

import math

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs the carla wheel")

from phipd_sim2real.geometry import vector_from_carla
from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.collisions import RESTITUTION
from phipd_sim2real.simulator.dynamics import GRIP_M_S2
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.footprints import Footprint, contact
from phipd_sim2real.simulator.maps import RoadMap, read_map
from phipd_sim2real.simulator.scene import shared_scene
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.walkers import WalkerControl
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import World
from tests.simulator.straight_road import straight_road

CAR, VAN = [1, "vehicle.tesla.model3", []], [1, "vehicle.mercedes.sprinter", []]


@pytest.fixture(scope="module")
def blueprints():
    return library(("source", "target"))


@pytest.fixture
def world(blueprints):
    made = World(RoadMap("Simulator/Maps/straight", straight_road()), blueprints)
    made.settings = EpisodeSettings(synchronous=True, fixed_delta=0.05)
    return made


@pytest.mark.parametrize(("angle", "gap", "depth"), [(0.0, 3.9, 0.1), (90.0, 2.9, 0.1), (0.0, 4.1, None)])
def test_rectangles_meet_along_their_shallowest_axis(angle, gap, depth):
    met = contact(Footprint(0, 0, 0, 2, 1), Footprint(gap, 0, math.radians(angle), 2, 1))
    if depth is None:
        assert met is None
    else:
        assert met.normal == pytest.approx((1.0, 0.0))
        assert met.depth == pytest.approx(depth)


def test_a_rear_end_collision_keeps_momentum(world):
    first = world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    second = world.spawn(VAN, Transform((26, 1.75, 0), (0, 0, 0)))
    first.push((10.0, 0, 0))
    events = []
    for _ in range(10):
        before = first.mass * first.motion.speed + second.mass * second.motion.speed
        speeds = first.motion.speed, second.motion.speed
        world.tick()
        events = world.episode.collisions
        if events:
            break
    assert [(e.actor_id, e.other_id) for e in events] == [
        (first.actor_id, second.actor_id),
        (second.actor_id, first.actor_id),
    ]
    after = first.mass * first.motion.speed + second.mass * second.motion.speed
    assert after == pytest.approx(before, rel=0.01), "only rolling resistance of one tick is lost"
    assert second.motion.speed - first.motion.speed == pytest.approx(RESTITUTION * speeds[0], rel=0.02)
    np.testing.assert_allclose(events[0].impulse, -np.array(events[1].impulse))
    assert events[0].impulse[0] == pytest.approx(first.mass * (first.motion.speed - speeds[0]), rel=0.02)
    assert events[0].other_kind == "vehicle.mercedes.sprinter"
    world.tick()
    assert not contact(first.footprint, second.footprint)


def test_a_walker_in_the_way_is_hit(world):
    car = world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    walker = world.spawn([1, "walker.pedestrian.0001", []], Transform((24, 1.75, 1.0), (0, 90, 0)))
    car.push((8.0, 0, 0))
    hits = []
    for _ in range(20):
        world.tick()
        hits += [event for event in world.episode.collisions if event.actor_id == car.actor_id]
    assert hits[0].other_id == walker.actor_id
    assert hits[0].other_kind.startswith("walker.")
    assert 0.0 > hits[0].impulse[0] > -walker.mass * 10.0, "a walker hardly slows a car"


def test_walkers_go_where_they_are_told_and_stand_on_the_ground(world):
    walker = world.spawn([1, "walker.pedestrian.0002", []], Transform((50, 0, 3.0), (0, 0, 0)))
    for _ in range(40):
        world.tick()
    assert walker.transform.location[2] == pytest.approx(walker.body.half_size[2]), "it fell to the road"
    walker.control = WalkerControl.read([(0.0, 2.0, 0.0), 1.5, False])
    for _ in range(60):
        world.tick()
    assert walker.transform.location[:2] == pytest.approx((50.0, 4.5))
    assert walker.transform.rotation[1] == pytest.approx(90.0)
    assert walker.foot.location[2] == pytest.approx(0.13), "a sidewalk stands a kerb above the road"
    walker.control = WalkerControl((1.0, 0.0, 0.0), 0.0, True)
    heights = []
    for _ in range(40):
        world.tick()
        walker.control = WalkerControl()
        heights.append(walker.foot.location[2])
    assert max(heights) == pytest.approx(0.13 + 4.2**2 / (2 * 9.81), abs=0.15)
    assert heights[-1] == pytest.approx(0.13)


def test_a_prop_stops_a_car_and_an_attached_one_rides_along(world):
    car = world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    world.spawn([1, "static.prop.streetbarrier", []], Transform((40, 1.75, 0), (0, 0, 0)))
    box = world.spawn([1, "static.prop.box01", []], Transform((0, 0, 1.5), (0, 0, 0)), car.actor_id)
    car.control = VehicleControl(0.5)
    kinds = set()
    for _ in range(160):
        world.tick()
        kinds |= {event.other_kind for event in world.episode.collisions}
    assert kinds == {"static.prop.streetbarrier", "vehicle.tesla.model3"}
    assert car.motion.x + car.body.half_size[0] < 40.0
    np.testing.assert_allclose(np.subtract(box.transform.location, car.transform.location), (0, 0, 1.5), atol=1e-9)


def test_a_car_that_leaves_the_road_runs_into_a_building(blueprints):
    pytest.importorskip("embreex", reason="needs the ray caster")
    world = World(read_map("Orchard01"), blueprints)
    world.settings = EpisodeSettings(synchronous=True, fixed_delta=0.05)
    surroundings = world.episode.surroundings
    house = next(thing for thing in surroundings.boxes if thing.label == Label.BUILDINGS)
    x, y, _ = vector_from_carla(house.centre)
    forward = np.array([math.cos(house.yaw), -math.sin(house.yaw), 0.0])
    start = (x, y, 0.0) - forward * (house.half_size[0] + 9.0)
    assert surroundings.hits([Footprint(x + 1000, y, 0, 2, 1)], [0.0]) == [None]
    car = world.spawn(CAR, Transform(tuple(start), (0, -math.degrees(house.yaw), 0)))
    car.push(10.0 * forward)
    events = []
    for _ in range(60):
        world.tick()
        events += world.episode.collisions
    assert events[0].other_id == 0
    assert events[0].other_kind.startswith("static.")
    assert np.dot(events[0].impulse, forward) == pytest.approx(-car.mass * 10.0, rel=0.1)
    assert car.motion.speed == 0.0


def test_what_is_run_into_is_what_the_first_camera_draws(blueprints):
    pytest.importorskip("embreex", reason="needs the ray caster")
    world = World(read_map("Orchard01"), blueprints)

    def houses():
        return [tuple(box.centre) for box in world.episode.surroundings.boxes if box.label == Label.BUILDINGS]

    def hits(centre):
        x, y, _ = vector_from_carla(np.array(centre))
        return world.episode.surroundings.hits([Footprint(x, y, 0.0, 15.0, 15.0)], [0.0])[0]

    scene = shared_scene(world.episode.map.name, world.episode.map.xodr, 0)
    drawn = {name: {tuple(box.centre) for box in scene.boxes(name)} for name in ("modern", "old")}
    assert set(houses()) <= drawn["modern"], "the first look's, before there is a camera"
    camera = world.spawn([1, "sensor.camera.rgb", [["look", 3, "target"]]], Transform())
    world.spawn([1, "sensor.camera.rgb", [["look", 3, "source"]]], Transform())
    old = houses()
    assert set(old) <= drawn["old"]
    assert not set(old) & drawn["modern"]
    assert hits(old[0]) is not None
    world.destroy(camera.actor_id)
    world.load(world.episode.map, 2)
    assert set(houses()) <= drawn["modern"], "a fresh episode has no camera"


@pytest.mark.parametrize("throttle", [1.0, 0.0])
def test_tyres_hold_their_grip_and_no_more(world, throttle):
    car = world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    car.collides = False
    car.push((25.0, 0, 0))
    car.control = VehicleControl(throttle, 0.5)
    sideways = []
    for _ in range(40):
        world.tick()
        sideways.append(abs(car.motion.speed * car.motion.yaw_rate))
    assert max(sideways) == pytest.approx(GRIP_M_S2, rel=0.02)
