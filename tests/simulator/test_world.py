"""Dynamics by analytic truth, and what the world keeps and forgets."""

import math

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs the carla wheel")

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.simulator.actors import Sensor
from phipd_sim2real.simulator.actors_mesh import ActorShape, actors_triangles
from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.dynamics import MAX_STEER_RAD, Mechanics, Motion, coast, drive
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.maps import read_map
from phipd_sim2real.simulator.sensing import due, expose
from phipd_sim2real.simulator.walkers import WalkerControl
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import RequestError, World

CAR = [1, "vehicle.tesla.model3", []]
MECHANICS = Mechanics(2.88)


@pytest.fixture(scope="module")
def blueprints():
    return library(("source", "target"))


@pytest.fixture
def world(blueprints):
    made = World(read_map("Riverside01"), blueprints)
    made.settings = EpisodeSettings(synchronous=True, fixed_delta=0.1)
    return made


def camera(kind, **attributes):
    values = {"image_size_x": "32", "image_size_y": "16", **attributes}
    return [1, f"sensor.camera.{kind}", [[name, 4, value] for name, value in values.items()]]


def test_a_full_circle_ends_where_it_began():
    radius, wheelbase = 20.0, 2.88
    speed = 2 * math.pi * radius / 10.0
    motion = Motion(0.0, 0.0, 0.3)
    start = motion
    for _ in range(100):
        motion = coast(motion, speed, speed / radius, wheelbase, 0.1)
    assert (motion.x, motion.y) == pytest.approx((start.x, start.y), abs=1e-9)
    assert motion.yaw == pytest.approx(start.yaw, abs=1e-9)


@pytest.mark.parametrize("steer", [-0.4, 0.0, 0.4])
def test_ticks_of_different_length_drive_alike(steer):
    control = VehicleControl(0.6, steer)
    ends = []
    for delta in (0.05, 0.1):
        motion = Motion(0.0, 0.0, 0.0, 8.0)
        for _ in range(round(4.0 / delta)):
            motion = drive(motion, control, MECHANICS, delta)
        ends.append((motion.x, motion.y, motion.yaw, motion.speed))
    np.testing.assert_allclose(*ends, atol=1e-9)


def test_turn_radius_follows_the_bicycle():
    motion = Motion(0.0, 0.0, 0.0, 2.0)
    for _ in range(30):
        motion = drive(motion, VehicleControl(0.1, 1.0), MECHANICS, 0.1)
    assert motion.speed / motion.yaw_rate == pytest.approx(2.88 / math.tan(MAX_STEER_RAD), rel=1e-6)
    assert motion.yaw_rate > 0  # positive steer turns right, which is clockwise in CARLA's axes


def test_brakes_stop_and_hold():
    motion = Motion(0.0, 0.0, 0.0, 10.0)
    for _ in range(40):
        motion = drive(motion, VehicleControl(brake=1.0), MECHANICS, 0.05)
    assert motion.speed == 0.0
    assert motion.x == pytest.approx(10.0**2 / (2 * 8.15), rel=0.02)


def test_velocity_is_the_derivative_of_position(world):
    car = world.spawn(CAR, world.episode.roads.spawn_points[0])
    world.vehicle(car.actor_id).control = VehicleControl(0.7, 0.3)
    world.settings = EpisodeSettings(synchronous=True, fixed_delta=0.01)
    for _ in range(200):
        before = np.array(car.transform.location)
        world.tick()
    step = (np.array(car.transform.location) - before) / 0.01
    np.testing.assert_allclose(step[:2], car.velocity[:2], atol=0.02)


def test_an_empty_world_has_no_history(world):
    for _ in range(3):
        world.tick()
    assert world.episode.elapsed_s == 0.0
    world.spawn(CAR, world.episode.roads.spawn_points[0])
    world.tick()
    assert world.episode.elapsed_s == pytest.approx(0.1)


def test_a_reload_begins_ids_and_clock_anew_but_never_frames(world):
    first = world.spawn(CAR, world.episode.roads.spawn_points[0]).actor_id
    world.tick()
    frame, snapshot = world.frame, world.snapshot()[64:]
    world.load(world.episode.map, 2)
    assert world.episode.elapsed_s == 0.0
    assert world.spawn(CAR, world.episode.roads.spawn_points[0]).actor_id == first
    world.tick()
    assert world.frame == frame + 1
    assert world.snapshot()[64:] == snapshot


def test_a_car_in_the_way_refuses_the_next(world):
    point = world.episode.roads.spawn_points[0]
    world.spawn(CAR, point)
    with pytest.raises(RequestError, match="collision"):
        world.spawn(CAR, point)


@pytest.mark.parametrize(
    ("description", "word"),
    [
        ([1, "vehicle.nobody.knows", []], "blueprint"),
        ([1, "vehicle.audi.tt", [["wings", 4, "2"]]], "wings"),
        ([1, "vehicle.audi.tt", [["color", 5, "red"]]], "color"),
        (camera("rgb", look="painting"), "source, target"),
        (camera("rgb", fov="180"), "fov"),
        (camera("rgb", image_size_x="0"), "image_size_x"),
    ],
)
def test_bad_descriptions_are_refused_by_name(world, description, word):
    with pytest.raises(RequestError, match=word):
        world.spawn(description, world.episode.roads.spawn_points[0])


def test_destroying_a_car_takes_its_sensors_along(world):
    car = world.spawn(CAR, world.episode.roads.spawn_points[0])
    world.spawn(camera("rgb"), Transform(), car.actor_id)
    assert world.destroy(car.actor_id)
    assert not world.destroy(car.actor_id)
    assert list(world.episode.actors) == [1]
    assert not world.destroy(1), "the spectator stays"


def test_mounts_compose_as_matrices(world):
    car = world.spawn(CAR, Transform((10, 20, 0), (0, 90, 0)))
    sensor = world.spawn(camera("rgb"), Transform((2, 1, 1.5), (0, 90, 0)), car.actor_id)
    assert isinstance(sensor, Sensor)
    np.testing.assert_allclose(sensor.transform.location, (9, 22, 1.5), atol=1e-9)
    assert abs(sensor.transform.rotation[1]) == pytest.approx(180.0)


def test_cameras_of_one_place_share_a_cast(world):
    car = world.spawn(CAR, world.episode.roads.spawn_points[0])
    for kind in ("depth", "rgb", "semantic_segmentation", "instance_segmentation"):
        world.spawn(camera(kind), Transform((1, 0, 1.5)), car.actor_id)
    world.spawn(camera("rgb"), Transform((1, 0, 1.6)), car.actor_id)
    world.spawn(camera("rgb", look="target"), Transform((1, 0, 1.5)), car.actor_id)
    world.tick()
    exposure = expose(world, due(world, lambda stream: True), 0)
    assert [(len(shot.kinds), shot.look) for shot in exposure.shots] == [(4, "source"), (1, "target"), (1, "source")]
    assert due(world, lambda stream: False) == []
    assert expose(world, [], 0) is None


def test_every_body_is_seen_as_what_it_says_it_is(world, blueprints):
    bodies = [name for name, blueprint in blueprints.items() if blueprint.body is not None]
    for index, name in enumerate(bodies):
        solid = world.spawn([1, name, []], Transform((20.0 * index, 500.0, 0.0)))
        shape = ActorShape(
            solid.actor_id, name, solid.colour(), pose_from_carla(*solid.foot), solid.body.half_size, (0.0, 0.0, 1.0)
        )
        assert set(actors_triangles([shape]).label) == set(solid.semantic_tags()), name


def test_a_walker_is_seen_where_its_feet_are_now_and_were_before(world):
    walker = world.spawn([1, "walker.pedestrian.0001", []], world.episode.roads.spawn_points[0])
    world.spawn(camera("rgb"), Transform((0, 0, 5)))
    walker.control = WalkerControl((1.0, 0.0, 0.0), 2.0)
    feet = []
    for _ in range(2):
        world.tick()
        feet.append(walker.foot)
    (seen,) = expose(world, due(world, lambda stream: True), 0).bodies
    assert (seen.before, seen.foot) == tuple(feet)
    assert seen.foot.location[0] - seen.before.location[0] == pytest.approx(0.2)


def test_sensor_tick_counts_whole_ticks(world):
    car = world.spawn(CAR, world.episode.roads.spawn_points[0])
    world.spawn(camera("rgb", sensor_tick="0.3"), Transform(), car.actor_id)
    measured = []
    for _ in range(300):
        world.tick()
        measured.append(bool(due(world, lambda stream: True)))
    assert measured == [False, False, True] * 100


def test_every_blueprint_says_that_it_is_a_stand_in(blueprints):
    assert all("synthetic" in blueprint.attributes for blueprint in blueprints.values())
