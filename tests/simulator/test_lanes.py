"""Ground under vehicles on a road that climbs evenly."""

import math

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs the carla wheel")

from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import World
from tests.simulator.straight_road import straight_road

GRADE = 0.05
CLIMB = straight_road().replace('<elevation s="0" a="0" b="0"', f'<elevation s="0" a="0" b="{GRADE}"')


@pytest.fixture(scope="module")
def world():
    made = World(RoadMap("Simulator/Maps/climb", CLIMB), library(("source", "target")))
    made.settings = EpisodeSettings(synchronous=True, fixed_delta=0.05)
    return made


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 1.0), (math.pi, -1.0), (math.pi / 2, 0.0)])
def test_height_and_pitch_follow_the_grade(world, yaw, pitch):
    x = np.array([10.3, 77.77, 200.5])
    places = np.column_stack([x, 0 * x + 1.75, GRADE * x])
    ground = world.episode.roads.ground(places, np.full(3, yaw), np.full(3, 2.88))
    np.testing.assert_allclose([place.height for place in ground], GRADE * x, atol=1e-3)
    expected = math.degrees(math.atan(GRADE)) * pitch
    np.testing.assert_allclose([place.pitch for place in ground], expected, atol=5e-3)
    np.testing.assert_allclose(world.episode.roads.lanes.heights(places), GRADE * x, atol=1e-3)


def test_a_car_climbs_with_its_road(world):
    car = world.spawn([1, "vehicle.tesla.model3", []], Transform((20, 1.75, 1.2), (0, 0, 0)))
    car.control = VehicleControl(0.5)
    for _ in range(100):
        world.tick()
    x, _, z = car.transform.location
    assert z == pytest.approx(GRADE * x, abs=2e-3)
    assert car.velocity[2] == pytest.approx(GRADE * car.velocity[0], rel=5e-3)
    assert world.episode.roads.lanes.distance(np.array([[50.0, 1.75 + 4.0, GRADE * 50.0]]))[0] == pytest.approx(
        4, abs=0.2
    )
