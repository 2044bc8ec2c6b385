"""Calls of CARLA's documentation, made by the real client on a road with two traffic lights."""

import textwrap

import pytest

from phipd_sim2real.simulator.process import simulator_process
from tests.simulator.real_client import said_by
from tests.simulator.signalled_road import signalled_road

pytest.importorskip("carla", reason="needs the carla wheel")

PRELUDE = """
import carla, json, math, os, sys
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(30.0)
world = client.reload_world()
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
library, road = world.get_blueprint_library(), world.get_map()

def xyz(vector):
    return [vector.x, vector.y, vector.z]

def at(x, y=1.75, yaw=0.0, z=0.2):
    return carla.Transform(carla.Location(x, y, z), carla.Rotation(yaw=yaw))

def ticks(count):
    for _ in range(count):
        world.tick()

def say(**said):
    settings.synchronous_mode = False
    world.apply_settings(settings)
    print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "signalled.xodr"
    path.write_text(signalled_road())
    with simulator_process(str(path)) as endpoint:
        yield endpoint.port


def client(port, body):
    """Runs client code and returns what it said."""
    return said_by(port, PRELUDE + textwrap.dedent(body))


def test_blueprints_answer_the_usual_filters(port):
    said = client(
        port,
        """
        vehicles = library.filter("vehicle.*")
        walker = library.filter("walker.pedestrian.*")[0]
        say(
            wheels={n: len([b for b in vehicles if int(b.get_attribute("number_of_wheels")) == n]) for n in (2, 4)},
            kinds=sorted({b.get_attribute("base_type").as_str() for b in vehicles}),
            safe=len([b for b in vehicles if b.get_attribute("generation").as_int() == 2]),
            by_attribute=len(library.filter_by_attribute("special_type", "emergency")),
            lights=len([b for b in vehicles if b.get_attribute("has_lights").as_bool()]),
            walkers=len(library.filter("walker.pedestrian.*")),
            speeds=[float(speed) for speed in walker.get_attribute("speed").recommended_values],
            invincible=walker.has_attribute("is_invincible"),
            props=len(library.filter("static.prop.*")), model3=library.find("vehicle.tesla.model3").tags,
        )
        """,
    )
    assert said["wheels"] == {"2": 7, "4": 34}
    assert said["kinds"] == ["bicycle", "bus", "car", "motorcycle", "truck", "van"]
    assert said["safe"] > 10
    assert said["by_attribute"] == 4
    assert said["lights"] > 15
    assert said["invincible"]
    assert (said["walkers"], said["props"]) == (52, 30)
    assert said["speeds"][1:] == pytest.approx([1.4, 2.6])
    assert sorted(said["model3"]) == ["model3", "tesla", "vehicle"]


def test_traffic_lights_answer_every_question(port):
    said = client(
        port,
        """
        lights = {light.get_opendrive_id(): light for light in world.get_actors().filter("traffic.traffic_light*")}
        first, second = lights["101"], lights["102"]
        mark = next(mark for mark in road.get_all_landmarks_of_type("1000001") if mark.id == "101")
        car = world.spawn_actor(library.find("vehicle.tesla.model3"), at(95.8))
        world.tick()
        seen = [car.is_at_traffic_light(), str(car.get_traffic_light_state()), car.get_traffic_light().id == first.id]
        begin = [str(first.get_state()), str(second.state), first.get_green_time(), first.get_yellow_time(),
                 first.get_red_time()]
        first.set_green_time(1.0), first.set_yellow_time(0.5), first.set_red_time(0.25)
        ticks(25)
        passed = [str(first.get_state()), str(car.get_traffic_light_state())]
        first.set_state(carla.TrafficLightState.Red), first.freeze(True)
        ticks(2)
        frozen = [str(first.get_state()), first.is_frozen(), second.is_frozen()]
        world.freeze_all_traffic_lights(False), first.reset_group()
        ticks(1)
        volume, place = first.trigger_volume, first.get_transform()
        stop = first.get_stop_waypoints()[0]
        say(
            seen=seen, begin=begin, passed=passed, frozen=frozen, reset=str(first.get_state()),
            group=sorted(light.get_opendrive_id() for light in first.get_group_traffic_lights()),
            by_mark=world.get_traffic_light(mark).id == first.id,
            by_id=world.get_traffic_light_from_opendrive_id("102").id == second.id,
            in_junction=len(world.get_traffic_lights_in_junction(10)),
            ahead=[light.id == first.id for light in
                   world.get_traffic_lights_from_waypoint(road.get_waypoint(at(60).location), 60.0)],
            stop=[stop.road_id, stop.lane_id, stop.transform.location.x],
            affected=len(first.get_affected_lane_waypoints()),
            volume=xyz(place.transform(volume.location)), boxes=len(first.get_light_boxes()),
            pole=[first.get_pole_index(), second.get_pole_index()], undestroyed=first.destroy(),
        )
        """,
    )
    assert said["seen"] == [True, "Green", True]
    assert said["begin"] == ["Green", "Red", 10.0, 3.0, 2.0]
    assert said["passed"] == ["Yellow", "Yellow"]
    assert said["frozen"] == ["Red", True, True]
    assert said["reset"] == "Green"
    assert said["group"] == ["101", "102"]
    assert said["by_mark"]
    assert said["by_id"]
    assert said["in_junction"] == 2
    assert said["ahead"] == [True]
    assert said["stop"][:2] == [1, -1]
    assert said["stop"][2] == pytest.approx(99.0, abs=3.0)
    assert said["affected"] >= 1
    assert said["volume"] == pytest.approx([99.0, 1.75, 1.0], abs=0.3)
    assert (said["boxes"], said["pole"], said["undestroyed"]) == (1, [0, 1], False)


def test_vehicles_take_every_order(port):
    said = client(
        port,
        """
        car = world.spawn_actor(library.find("vehicle.tesla.model3"), at(10))
        ticks(1)
        car.apply_ackermann_control(carla.VehicleAckermannControl(speed=6.0, acceleration=3.0))
        ticks(60)
        ackermann = car.get_velocity().x
        car.apply_ackermann_controller_settings(carla.AckermannControllerSettings(speed_kp=0.5))
        gains = car.get_ackermann_controller_settings().speed_kp
        car.apply_control(carla.VehicleControl(steer=0.5))
        ticks(10)
        wheels = [car.get_wheel_steer_angle(wheel) for wheel in
                  (carla.VehicleWheelLocation.FL_Wheel, carla.VehicleWheelLocation.BL_Wheel)]
        physics = car.get_physics_control()
        physics.mass = 1000.0
        car.apply_physics_control(physics)
        car.apply_control(carla.VehicleControl())
        car.set_transform(at(50)), car.set_target_velocity(carla.Vector3D(4.0, 0.0, 0.0))
        ticks(1)
        pushed = car.get_velocity().x
        car.add_impulse(carla.Vector3D(2000.0, 0.0, 0.0))
        ticks(1)
        kicked = car.get_velocity().x
        car.add_force(carla.Vector3D(-20000.0, 0.0, 0.0))
        ticks(1)
        forced = car.get_velocity().x
        car.set_simulate_physics(False)
        held = car.get_location().x
        ticks(5)
        held -= car.get_location().x
        car.set_simulate_physics(True), car.set_target_velocity(carla.Vector3D())
        car.set_light_state(carla.VehicleLightState.LowBeam)
        car.set_target_angular_velocity(carla.Vector3D(0.0, 0.0, 40.0))
        ticks(1)
        say(
            ackermann=ackermann, gains=gains, wheels=wheels, mass=car.get_physics_control().mass, pushed=pushed,
            kicked=kicked, forced=forced, held=held, yaw=car.get_transform().rotation.yaw,
            light=str(car.get_light_state()), failure=str(car.get_failure_state()), limit=car.get_speed_limit(),
            doors=[car.open_door(carla.VehicleDoor.All), car.close_door(carla.VehicleDoor.All)],
            tags=car.semantic_tags, gone=car.destroy(),
        )
        """,
    )
    assert said["ackermann"] == pytest.approx(6.0, abs=0.01)
    assert said["gains"] == pytest.approx(0.5)
    assert said["wheels"] == pytest.approx([15.0, 0.0], abs=0.1)
    assert said["mass"] == 1000.0
    assert said["pushed"] == pytest.approx(4.0, abs=0.02)
    assert said["kicked"] == pytest.approx(said["pushed"] + 2.0, abs=0.02)
    assert said["forced"] == pytest.approx(said["kicked"] - 1.0, abs=0.02)
    assert said["held"] == 0.0
    assert said["yaw"] == pytest.approx(2.0, abs=1e-3)
    assert (said["light"], said["failure"], said["limit"]) == ("LowBeam", "NONE", 50.0)
    assert (said["tags"], said["gone"]) == ([14], True)


def test_a_batch_spawns_drives_and_refuses_by_the_command(port):
    said = client(
        port,
        """
        command = carla.command
        blueprint, walker = library.find("vehicle.audi.tt"), library.filter("walker.pedestrian.*")[3]
        spawn = command.SpawnActor(blueprint, at(20)).then(
            command.ApplyVehicleControl(command.FutureActor, carla.VehicleControl(throttle=0.7)))
        replies = client.apply_batch_sync([spawn, spawn, command.SpawnActor(walker, at(60, -5.0, z=1.0))], True)
        car, person = replies[0].actor_id, replies[2].actor_id
        ticks(20)
        moved = world.get_actor(car).get_location().x - 20.0
        client.apply_batch([command.ApplyWalkerControl(person, carla.WalkerControl(carla.Vector3D(1, 0, 0), 2.0))])
        ticks(20)
        walked = world.get_actor(person)
        say(
            ids=[reply.actor_id for reply in replies], errors=[reply.error for reply in replies], moved=moved,
            walked=xyz(walked.get_location()), speed=walked.get_velocity().x, control=walked.get_control().speed,
            box=xyz(walked.bounding_box.extent),
            gone=[reply.has_error() for reply in client.apply_batch_sync(
                [command.DestroyActor(actor) for actor in (car, person, 9999)], True)],
        )
        """,
    )
    assert "collision" in said["errors"][1]
    assert said["moved"] > 1.0
    assert said["walked"] == pytest.approx([62.0, -5.0, 0.93 + 0.13], abs=0.11)
    assert (said["speed"], said["control"]) == pytest.approx((2.0, 2.0))
    assert said["box"] == pytest.approx([0.19, 0.19, 0.93])
    assert said["gone"] == [False, False, True]


def test_what_stands_in_the_world_is_listed_and_hit_by_rays(port):
    pytest.importorskip("embreex", reason="needs the ray caster")
    said = client(
        port,
        """
        car = world.spawn_actor(library.find("vehicle.tesla.model3"), at(50))
        ticks(1)
        label = carla.CityObjectLabel
        houses = world.get_environment_objects(label.Buildings)
        down = world.cast_ray(carla.Location(30, 1.75, 9), carla.Location(30, 1.75, -0.1))
        on_car = world.cast_ray(carla.Location(50, 1.75, 9), carla.Location(50, 1.75, -0.1))
        ground = world.ground_projection(carla.Location(30, 1.75, 5), 10.0)
        ahead = world.project_point(carla.Location(40, 1.75, 0.5), carla.Vector3D(1, 0, 0), 20.0)
        nothing = world.project_point(carla.Location(40, 1.75, 0.5), carla.Vector3D(1, 0, 0), 2.0)
        world.debug.draw_point(carla.Location(), life_time=1.0)
        say(
            houses=len(houses), boxes=len(world.get_level_bbs(label.Buildings)),
            lights=len(world.get_level_bbs(label.TrafficLight)), cars=len(world.get_level_bbs(label.Car)),
            names=len(world.get_names_of_all_objects()), tall=max(h.bounding_box.extent.z for h in houses),
            down=[str(down[0].label), xyz(down[0].location)], on_car=[str(p.label) for p in on_car],
            ground=xyz(ground.location), ahead=ahead.location.x, nothing=nothing is None, gone=car.destroy(),
        )
        """,
    )
    assert said["houses"] == said["boxes"] > 3
    assert said["names"] > said["houses"]
    assert (said["lights"], said["cars"]) == (2, 1)
    assert said["tall"] > 2.0
    assert said["down"][0] == "Roads"
    assert said["down"][1] == pytest.approx([30.0, 1.75, 0.0], abs=0.01)
    assert said["on_car"][:2] == ["Car", "Roads"]
    assert said["ground"][2] == pytest.approx(0.0, abs=0.01)
    assert said["ahead"] == pytest.approx(47.65, abs=0.01)
    assert said["nothing"]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("client.start_recorder('log')", "start_recorder"),
        ("client.replay_file('log', 0.0, 0.0, 0)", "replay_file"),
        ("client.show_recorder_file_info('log', False)", "show_recorder_file_info"),
        ("world.load_map_layer(carla.MapLayer.Buildings)", "load_map_layer"),
        ("world.spawn_actor(library.filter('walker.*')[0], at(70)).get_bones()", "get_bones_transform"),
        ("client.load_world('Town99')", "Town99"),
        ("world.spawn_actor(library.find('controller.ai.walker'), at(70))", "controller.ai.walker"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(port, call, name):
    said = client(
        port,
        f"""
        try:
            {call}
        except RuntimeError as error:
            say(error=str(error))
        """,
    )
    assert name in said["error"]


def test_a_script_for_pedestrians_learns_that_there_is_no_navigation_mesh(port):
    """As CARLA's documentation has it: places from the navigation, walkers, then their controllers in a batch."""
    said = client(
        port,
        """
        place = world.get_random_location_from_navigation()
        walker = world.spawn_actor(library.filter("walker.pedestrian.*")[0], at(40, -5.0, z=1.0))
        spawn = carla.command.SpawnActor(library.find("controller.ai.walker"), carla.Transform(), walker.id)
        (reply,) = client.apply_batch_sync([spawn], True)
        walker.apply_control(carla.WalkerControl(carla.Vector3D(1.0, 0.0, 0.0), 1.5))
        before = walker.get_location().x
        ticks(20)
        say(place=place, error=reply.error, walked=walker.get_location().x - before)
        """,
    )
    assert said["place"] is None
    assert "controller.ai.walker is not offered: it needs a navigation mesh" in said["error"]
    assert "apply_control" in said["error"]
    assert said["walked"] == pytest.approx(1.5, abs=0.2), "that is how walkers move here"


def test_a_batch_attaches_sensors_without_a_word_on_how(port):
    """`SpawnActor(blueprint, transform, parent)`, where the client sends whatever the attachment's byte holds."""
    said = client(
        port,
        """
        car, camera = world.spawn_actor(library.find("vehicle.audi.tt"), at(20)), library.find("sensor.camera.rgb")
        mounts = [carla.Transform(carla.Location(x=n)) for n in range(5)]
        spawns = [carla.command.SpawnActor(camera, mount, parent) for mount in mounts for parent in (car, car.id)]
        replies = client.apply_batch_sync(spawns, True)
        cameras = [world.get_actor(reply.actor_id) for reply in replies]
        ahead = [camera.get_location().x - car.get_location().x for camera in cameras]
        say(errors=[reply.error for reply in replies], ahead=ahead, parents=[c.parent.id == car.id for c in cameras])
        """,
    )
    assert not any(said["errors"])
    assert said["ahead"] == pytest.approx([n for n in range(5) for _ in "ab"], abs=0.01)
    assert all(said["parents"])
