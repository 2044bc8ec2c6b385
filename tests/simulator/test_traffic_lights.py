"""Traffic lights on a road with two of them: cycles by the clock, and cars that see the right one in time."""

import math

import pytest

pytest.importorskip("carla", reason="needs the carla wheel")

from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.traffic_lights import LightState
from phipd_sim2real.simulator.wire import Transform, VehicleControl
from phipd_sim2real.simulator.world import World
from tests.simulator.signalled_road import ENTRY, signalled_road

CAR = [1, "vehicle.tesla.model3", []]
RED, YELLOW, GREEN = LightState.RED, LightState.YELLOW, LightState.GREEN


@pytest.fixture
def world():
    made = World(RoadMap("Simulator/Maps/signalled", signalled_road()), library(("source", "target")))
    made.settings = EpisodeSettings(synchronous=True, fixed_delta=0.1)
    return made


def lights(world):
    return world.episode.lights.cycles[0].lights


def states(world):
    return [light.state for light in lights(world)]


def test_one_light_at_a_time_is_green(world):
    world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    seen = []
    for _ in range(300):
        world.tick()
        if not seen or seen[-1][0] != states(world):
            seen.append((states(world), 0))
        seen[-1] = (seen[-1][0], seen[-1][1] + 1)
    assert [state for state, _ in seen] == [
        [GREEN, RED], [YELLOW, RED], [RED, RED], [RED, GREEN], [RED, YELLOW], [RED, RED], [GREEN, RED]
    ]  # fmt: skip
    assert [ticks for _, ticks in seen] == [99, 30, 20, 100, 30, 20, 1], "10 s, 3 s and 2 s"


def test_times_are_kept_and_a_frozen_cycle_stands(world):
    world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    first, second = lights(world)
    first.green_s, first.yellow_s, first.red_s = 0.5, 0.2, 0.1
    for _ in range(8):
        world.tick()
    assert states(world) == [RED, GREEN]
    world.episode.lights.cycle_of(first).freeze(True)
    elapsed = second.elapsed_s
    for _ in range(200):
        world.tick()
    assert (states(world), second.elapsed_s) == ([RED, GREEN], elapsed)
    world.episode.lights.cycle_of(first).reset()
    assert states(world) == [GREEN, RED]


def test_lights_stand_where_the_map_says_and_their_volume_covers_the_lane(world):
    first, _ = lights(world)
    assert first.signal.signal_id == "101"
    assert first.transform.location[:2] == pytest.approx((99.0, 4.5), abs=0.3), "carla.Map moves signals off the lanes"
    assert abs(math.remainder(first.transform.rotation[1] - 90.0, 360.0)) < 0.1, "x points to the right of who stops"
    centre, half_size, _, actor_id = first.bounding_box()
    yaw = math.radians(first.transform.rotation[1])
    x = first.transform.location[0] + centre[0] * math.cos(yaw) - centre[1] * math.sin(yaw)
    y = first.transform.location[1] + centre[0] * math.sin(yaw) + centre[1] * math.cos(yaw)
    assert (x, y) == pytest.approx((99.0, 1.75), abs=1.1)
    assert half_size[0] == pytest.approx(1.225)
    assert actor_id == first.actor_id


@pytest.mark.parametrize("speed", [2.0, 8.0, 20.0])
def test_a_car_that_brakes_fully_when_it_sees_red_stops_before_the_junction(world, speed):
    car = world.spawn(CAR, Transform((20, 1.75, 0), (0, 0, 0)))
    first, _ = lights(world)
    first.show(RED)
    world.episode.lights.cycle_of(first).freeze(True)
    car.push((speed, 0, 0))
    for _ in range(600):
        world.tick()
        told = car.light.light_id == first.actor_id and car.light.state == RED
        car.control = VehicleControl(brake=1.0) if told else VehicleControl(0.04 if car.motion.speed < speed else 0.0)
    assert car.motion.speed == 0.0
    assert ENTRY - 4.0 < car.motion.x + car.body.half_size[0] < ENTRY


def test_only_those_who_drive_up_to_it_see_a_light(world):
    places = {"at it": (94.0, 1.75, 0.0), "oncoming": (94.0, -1.75, 180.0), "far": (30.0, 1.75, 0.0)}
    cars = {name: world.spawn(CAR, Transform((x, y, 0), (0, yaw, 0))) for name, (x, y, yaw) in places.items()}
    cars["at it"].place(Transform((95.8, 1.75, 0), (0, 0, 0)))
    world.tick()
    seen = {name: car.light.light_id for name, car in cars.items()}
    assert seen == {"at it": lights(world)[0].actor_id, "oncoming": 0, "far": 0}


def test_the_first_actor_finds_the_lights_at_their_beginning(world):
    for _ in range(200):
        world.tick()
    assert world.episode.ticks > 0, "lights run in an empty world too"
    fresh = World(world.episode.map, world.blueprints)
    fresh.settings = world.settings
    for _ in range(2):
        fresh.tick()
    assert fresh.episode.ticks == 0, "but not through the ticks of a client's settings"
