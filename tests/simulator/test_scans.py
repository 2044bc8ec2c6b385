"""Lidar, radar, obstacle and inertial sensors on a flat straight road, against sums done by hand."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import LANE_WIDTH, straight_road

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.casting import Stage
from phipd_sim2real.simulator.events import nearest_obstacle
from phipd_sim2real.simulator.imu import accelerometer, compass, gyroscope
from phipd_sim2real.simulator.lidar import Lidar, scan, semantic_lidar_body
from phipd_sim2real.simulator.radar import Radar, detect
from phipd_sim2real.simulator.rigid_motion import RigidMotion
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.wire import Transform

HEIGHT = 2.0
EXTENT = (2.4, 1.0, 0.74)


@pytest.fixture(scope="module")
def scene():
    return Scene.from_opendrive("straight", straight_road())


def pose(x, y=-LANE_WIDTH / 2, z=0.0):
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def stage(scene, *actors, eye=(50.0, -LANE_WIDTH / 2, HEIGHT)):
    return Stage(scene, "modern", list(actors), np.array(eye))


def car(x, moved=0.0, actor_id=70000):
    return ActorShape(actor_id, "vehicle.audi.tt", (9, 9, 9), pose(x), EXTENT, (0, 0, 0.74), pose(x - moved))


def lidar(**changes):
    plain = {"channels": 8, "range": 80.0, "points_per_second": 8000, "rotation_frequency": 10.0, "upper_fov": -4.0,
             "lower_fov": -24.0, "horizontal_fov": 360.0}  # fmt: skip
    return Lidar(**plain | changes)


def test_every_laser_draws_its_circle_on_a_flat_road(scene):
    echoes = scan(lidar(), stage(scene), pose(50, z=HEIGHT), 0.0, 0.1, np.random.default_rng(0))
    laser = np.repeat(np.arange(8), echoes.counts)
    road = np.isin(echoes.tags, (Label.ROADS, Label.ROAD_LINES))
    assert road.sum() > 150
    np.testing.assert_allclose(echoes.points[road, 2], -HEIGHT, atol=2e-3)
    radius = HEIGHT / np.tan(np.radians(np.linspace(4.0, 24.0, 8)))
    flat = np.hypot(*echoes.points[:, :2].T)
    np.testing.assert_allclose(flat[road], radius[laser[road]], rtol=2e-3)
    np.testing.assert_allclose(echoes.cosine[road], np.sin(np.radians(np.linspace(4, 24, 8)))[laser[road]], rtol=2e-3)
    assert {Label.SIDEWALKS} <= set(echoes.tags.tolist())
    right = echoes.points[echoes.tags == Label.SIDEWALKS, 1]
    assert right.max() > LANE_WIDTH / 2, "y points right: the near sidewalk lies there"


def test_a_head_turns_by_its_frequency(scene):
    half = lidar(rotation_frequency=5.0)
    first, second = (np.degrees(np.arctan2(*half.directions(start, 0.1)[:100, 1::-1].T)) for start in (0.0, 180.0))
    assert -180.0 <= first.min() < first.max() < 0.0
    assert 0.0 <= second.min() + 1e-9 < second.max() < 180.0
    assert half.head_angle(0.1) == pytest.approx(180.0)
    assert half.head_angle(0.2) == pytest.approx(0.0, abs=1e-3)
    assert lidar(points_per_second=1000).points_per_laser(0.1) == 13


def test_losses_are_as_large_as_they_are_told_and_repeat(scene):
    many = lidar(points_per_second=400000)
    whole = scan(many, stage(scene), pose(50, z=HEIGHT), 0.0, 0.1, np.random.default_rng(1))
    lossy = lidar(points_per_second=400000, dropoff_general=0.45, attenuation=0.004, dropoff_limit=0.8,
                  dropoff_zero=0.4, noise_stddev=0.02)  # fmt: skip
    got, again = (scan(lossy, stage(scene), pose(50, z=HEIGHT), 0.0, 0.1, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(got.points, again.points)
    intensity = np.exp(-0.004 * np.linalg.norm(whole.points.astype(float), axis=1))
    kept = np.where(intensity > 0.8, 1.0, 0.6 + 0.5 * intensity).mean()
    assert len(got.points) / len(whole.points) == pytest.approx(0.55 * kept, abs=0.01)
    road = np.isin(got.tags, (Label.ROADS, Label.ROAD_LINES))
    exact = HEIGHT / -got.points[road, 2].astype(float)
    slant = np.linalg.norm(got.points[road].astype(float), axis=1)
    assert np.std(slant * (exact - 1)) == pytest.approx(0.02, rel=0.1)


def test_the_semantic_message_tells_whole_actor_ids(scene):
    echoes = scan(lidar(), stage(scene, car(58.0)), pose(50, z=HEIGHT), 0.0, 0.1, np.random.default_rng(0))
    ids = np.zeros(1 << 16, np.uint32)
    ids[70000 & 0xFFFF] = 70000
    body = semantic_lidar_body(echoes, 90.0, ids)
    angle, channels = struct.unpack_from("<fI", body)
    assert (angle, channels) == (pytest.approx(math.pi / 2), 8)
    points = np.frombuffer(
        body[8 + 4 * 8 :], np.dtype([("xyz", "<f4", 3), ("cos", "<f4"), ("id", "<u4"), ("tag", "<u4")])
    )
    assert len(points) == echoes.counts.sum()
    assert set(points["id"].tolist()) == {0, 70000}
    assert (points["tag"][points["id"] == 70000] == Label.CAR).all()


def test_radar_speed_is_the_change_of_distance(scene):
    radar = Radar(20.0, 6.0, 60.0, 20000)
    own = RigidMotion(pose(50, z=0.8), pose(49.5, z=0.8), 0.1)
    eye = (50.0, -LANE_WIDTH / 2, 0.8)
    found = detect(radar, stage(scene, car(62.0, moved=1.2), eye=eye), own, 0.1, np.random.default_rng(0))
    back = found[(found[:, 3] > 9.5) & (found[:, 3] < 9.8) & (np.abs(found[:, 1]) < 0.09)]
    assert len(back) > 30
    expected = (12.0 - 5.0) * np.cos(back[:, 1]) * np.cos(back[:, 2])
    np.testing.assert_allclose(back[:, 0], expected, atol=0.02)
    assert np.abs(found[:, 1]).max() <= math.radians(10.0) + 1e-6
    assert np.abs(found[:, 2]).max() <= math.radians(3.0) + 1e-6


@pytest.mark.parametrize(
    ("radius", "reach", "expected"), [("0.3", "20", 9.6 - 0.3), ("0.0", "20", 9.6), ("0.3", "5", None)]
)
def test_an_obstacle_is_as_far_as_a_sphere_can_go(scene, radius, reach, expected):
    attributes = {"hit_radius": radius, "distance": reach, "only_dynamics": "True"}
    eye = (50.0, -LANE_WIDTH / 2, 0.5)
    found = nearest_obstacle(stage(scene, car(62.0), eye=eye), pose(50, z=0.5), attributes)
    if expected is None:
        assert found is None
    else:
        assert found[0] == pytest.approx(expected, abs=0.12)
        assert found[1:] == (70000 & 0xFFFF, Label.CAR)


def test_a_circle_is_felt_as_its_centripetal_acceleration():
    radius, rate, delta = 20.0, 0.3, 0.05

    def at(time):
        turn = rate * time
        place = (radius * math.sin(turn), radius * (1 - math.cos(turn)), 0.0)
        return Transform(place, (0.0, math.degrees(turn), 0.0))

    history = tuple(at(1.0 - k * delta) for k in range(3))
    felt = accelerometer(history, delta)
    assert felt[1] == pytest.approx(radius * rate**2, rel=1e-3), "a right turn pushes to the right"
    assert felt[2] == pytest.approx(9.81)
    assert gyroscope(history, delta).tolist() == pytest.approx([0.0, 0.0, rate], abs=1e-9)


def test_gravity_and_turning_are_told_in_the_sensors_own_axes():
    lying = Transform((0, 0, 0), (90.0, 0.0, 0.0))  # nose up
    assert accelerometer((lying,), 0.1).tolist() == pytest.approx([9.81, 0.0, 0.0], abs=1e-9)
    rolled = (Transform((0, 0, 0), (0, 0, 10.0)), Transform())
    turning = gyroscope(rolled, 0.1)
    assert turning[0] == pytest.approx(-math.radians(100.0)), "v = w x r in CARLA's axes: its roll turns about -x"
    now, before = (pose_from_carla(*one)[:3, :3] @ (0.0, -1.0, 0.0) * (1, -1, 1) for one in rolled)
    np.testing.assert_allclose(np.cross(turning, before) * 0.1, now - before, atol=0.02)


@pytest.mark.parametrize(("yaw", "heading"), [(-90, 0.0), (0, math.pi / 2), (90, math.pi), (180, 1.5 * math.pi)])
def test_the_compass_reads_zero_in_the_north(yaw, heading):
    assert compass(Transform((0, 0, 0), (0, yaw, 0))) == pytest.approx(heading)
