"""The protocol, spoken by the real client where it can and by hand where the client could not.

The client runs in processes of its own: some of its mistakes end the interpreter.
"""

import socket
import struct
import textwrap
import time

import msgpack
import pytest
from real_client import client
from street_scene import STREET_SCENE

from phipd_sim2real.simulator.maps import opendrive
from phipd_sim2real.simulator.process import simulator_process

pytest.importorskip("carla", reason="needs the carla wheel")


@pytest.fixture(scope="module")
def endpoint():
    with simulator_process("Orchard01", seed=1) as running:
        yield running


class Peer:
    """A bare msgpack-RPC connection."""

    def __init__(self, endpoint):
        self.socket = socket.create_connection((endpoint.host, endpoint.port), timeout=10)
        self._unpacker = msgpack.Unpacker(raw=False)
        self._id = 0

    def call(self, method, *arguments, wait=True):
        self._id += 1
        self.socket.sendall(msgpack.packb([0, self._id, method, [[not wait], *arguments]]))
        while True:
            for reply in self._unpacker:
                return reply[2], reply[3]
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server hung up")
            self._unpacker.feed(data)

    def value(self, method, *arguments):
        error, [[ok, value]] = self.call(method, *arguments)
        assert error is None
        assert ok == 1, value
        return value

    def close(self):
        self.socket.close()


@pytest.fixture
def peer(endpoint):
    made = Peer(endpoint)
    yield made
    made.call("load_new_episode", "Orchard01", True, 0)
    made.close()


def test_a_session_of_the_real_client(endpoint):
    said = client(
        endpoint,
        """
        world = fresh()
        library, world_map = world.get_blueprint_library(), world.get_map()
        car = world.spawn_actor(library.find("vehicle.audi.tt"), world_map.get_spawn_points()[3])
        start = world_map.get_spawn_points()[3].location
        world.set_weather(carla.WeatherParameters.HardRainSunset)
        car.apply_control(carla.VehicleControl(throttle=0.5))
        frames = [world.tick() for _ in range(30)]
        snapshot = world.get_snapshot()
        errors = []
        for wrong in (
            lambda: client.load_world("Town01"),
            lambda: client.start_recorder("log"),
            lambda: world.spawn_actor(library.find("vehicle.audi.tt"), car.get_transform()),
        ):
            try:
                wrong()
            except RuntimeError as error:
                errors.append(str(error))
        said = dict(
            version=client.get_server_version(), map=world_map.name, maps=client.get_available_maps(),
            synthetic=library.find("sensor.camera.rgb").get_attribute("synthetic").as_str(),
            frames=np.diff(frames).tolist(), elapsed=snapshot.timestamp.elapsed_seconds,
            delta=snapshot.timestamp.delta_seconds,
            moved=start.distance(snapshot.find(car.id).get_transform().location),
            limit=car.get_speed_limit(), box=[car.bounding_box.extent.x, car.bounding_box.location.z],
            wheels=len(car.get_physics_control().wheels), weather=world.get_weather().precipitation,
            throttle=car.get_control().throttle, errors=errors, spawn=len(world_map.get_spawn_points()),
            destroyed=car.destroy(),
        )
        world.tick()
        said["left"] = [actor.type_id for actor in world.get_actors()]
        world = client.reload_world(False)
        said["reloaded"] = [world.get_snapshot().timestamp.elapsed_seconds, world.get_weather().precipitation]
        free(world)
        print(json.dumps(said))
        """,
    )
    assert said["version"] == "0.9.16"
    assert said["map"] == "Simulator/Maps/Orchard01"
    assert "Simulator/Maps/Harbour01" in said["maps"]
    assert "simulator" in said["synthetic"]
    assert said["frames"] == [1] * 29
    assert (said["elapsed"], said["delta"]) == (pytest.approx(3.0), pytest.approx(0.1))
    assert 5.0 < said["moved"] < 12.0
    assert said["limit"] == 40.0
    assert said["box"] == pytest.approx([2.09, 0.68])
    assert said["wheels"] == 4
    assert said["weather"] == 100.0
    assert said["throttle"] == 0.5
    assert said["destroyed"] is True
    assert said["spawn"] > 100
    assert "Riverside01" in said["errors"][0]
    assert "start_recorder" in said["errors"][1]
    assert "collision" in said["errors"][2]
    assert said["left"] == ["spectator"]
    assert said["reloaded"] == [0.0, 0.0]


def test_four_cameras_agree_and_an_episode_repeats_to_the_byte(endpoint):
    pytest.importorskip("embreex", reason="needs the ray caster")
    said = client(
        endpoint,
        STREET_SCENE
        + textwrap.dedent("""
        KINDS = ("rgb", "depth", "semantic_segmentation", "instance_segmentation")

        def episode():
            world = fresh()
            library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
            ego = world.spawn_actor(library.find("vehicle.tesla.model3"), points[0])
            ahead = world.get_map().get_waypoint(points[0].location).next(12.0)[0].transform
            car = world.spawn_actor(library.find("vehicle.seat.leon"), ahead)
            queues, cameras = [], []
            for kind in KINDS:
                camera, received = watching(world, ego, kind, lambda image: (
                    image.frame, np.frombuffer(image.raw_data, np.uint8).reshape(48, 64, 4).copy(), image.transform
                ), look="target")
                cameras.append(camera)
                queues.append(received)
            ego.apply_control(carla.VehicleControl(throttle=0.3))
            digest = hashlib.sha256()
            for _ in range(4):
                frame = world.tick()
                images = [received.get(timeout=60) for received in queues]
                assert all(image[0] == frame for image in images)
                for image in images:
                    digest.update(image[1].tobytes())
            gap = images[0][2].location.distance(world.get_snapshot().find(cameras[0].id).get_transform().location)
            put_away(cameras)
            pixels = [image[1].astype(int) for image in images]
            seen = pixels[3][..., 1] + 256 * pixels[3][..., 0] == car.id
            depth = 1000 * (pixels[1][..., 2] + 256 * pixels[1][..., 1] + 65536 * pixels[1][..., 0]) / (2**24 - 1)
            said = dict(
                digest=digest.hexdigest(), gap=gap, labels=sorted(set(pixels[2][..., 2].ravel().tolist())),
                same_labels=bool((pixels[2][..., 2] == pixels[3][..., 2]).all()), seen=int(seen.sum()),
                car_label=sorted(set(pixels[2][..., 2][seen].tolist())), car_depth=float(np.median(depth[seen])),
                sky=float(depth[0].max()), colours=len(np.unique(pixels[0].reshape(-1, 4), axis=0)),
            )
            ego.destroy(), car.destroy()
            world.tick()
            free(world)
            return said

        print(json.dumps([episode(), episode()]))
        """),
    )
    first, again = said
    assert first == again
    assert first["gap"] < 1e-4
    assert first["same_labels"]
    assert {1, 11, 14} <= set(first["labels"]), "road, sky and car"
    assert first["seen"] > 15
    assert first["car_label"] == [14]
    assert 7.0 < first["car_depth"] < 12.0
    assert first["sky"] == pytest.approx(1000.0)
    assert first["colours"] > 500


def test_the_traffic_manager_keeps_its_lanes_and_repeats(endpoint):
    said = client(
        endpoint,
        STREET_SCENE
        + textwrap.dedent("""
        def episode():
            world = fresh()
            manager, world_map = traffic_manager(world), world.get_map()
            cars = on_autopilot(world, manager, world_map.get_spawn_points()[::20])
            digest, errors = hashlib.sha256(), []
            for tick in range(200):
                world.tick(30.0)
                for car in cars:
                    place = car.get_transform()
                    digest.update(np.array([place.location.x, place.location.y, place.rotation.yaw]).tobytes())
                    lane = world_map.get_waypoint(place.location).transform
                    right = lane.get_right_vector()
                    errors.append((place.location - lane.location).dot(right))
            slowest = min(car.get_velocity().length() for car in cars)
            end_traffic(world, manager, cars)
            return dict(digest=digest.hexdigest(), cars=len(cars), slowest=slowest, mean=float(np.mean(np.abs(errors))),
                        worst=float(np.abs(errors).max()))

        print(json.dumps([episode(), episode()]))
        """),
    )
    first, again = said
    assert first == again
    assert first["cars"] >= 6
    assert first["slowest"] > 9.0
    assert first["mean"] < 0.12
    assert first["worst"] < 0.35


def test_a_killed_traffic_manager_does_not_hold_the_world_back(endpoint, peer):
    lost = Peer(endpoint)
    assert lost.value("add_traffic_manager_running", ["127.0.0.1", 8000])
    assert peer.value("is_traffic_manager_running", 8000)
    lost.close()
    deadline = time.monotonic() + 5
    while peer.value("is_traffic_manager_running", 8000) and time.monotonic() < deadline:
        time.sleep(0.01)
    begin = time.monotonic()
    for _ in range(50):
        peer.value("tick_cue")
    assert time.monotonic() - begin < 50 * 0.05


def test_a_world_whose_ticking_client_is_gone_runs_on(endpoint, peer):
    lost = Peer(endpoint)
    lost.value("set_episode_settings", [True, False, [True, 0.05], True, 0.01, 10, 0.0, True, 0.0, 0.0, True])
    lost.value("tick_cue")
    assert peer.value("get_episode_settings")[0] is True
    lost.close()
    deadline = time.monotonic() + 10
    while peer.value("get_episode_settings")[0] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert peer.value("get_episode_settings")[:3] == [False, False, [True, 0.05]]


def test_unknown_methods_are_named_and_orders_without_wait_are_answered(peer):
    error, result = peer.call("paint_it_black", 1)
    assert "paint_it_black" in error
    assert result is None
    assert peer.call("paint_it_black", 1, wait=False) == (None, None)
    assert peer.call("set_actor_transform", 999, [[0, 0, 0], [0, 0, 0]], wait=False) == (None, None)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_actor_bounding_box", [12345]),
        ("spawn_actor", [[1, "vehicle.audi.tt", []], [[float("nan"), 0, 0], [0, 0, 0]]]),
        ("spawn_actor", ["what"]),
        ("spawn_actor_with_parent", [[1, "sensor.camera.rgb", []], [[0, 0, 0], [0, 0, 0]], 77, 0, ""]),
        ("get_actors_by_id", []),
        ("spawn_actor", [[1, "vehicle.audi.tt", [["color", 5, 7]]], [[0, 0, 0], [0, 0, 0]]]),
        ("set_episode_settings", [[True, False, [True, 99.0], True, 0.01, 10, 0, True, 0, 0, True]]),
    ],
)
def test_bad_requests_are_refused_and_the_world_goes_on(peer, method, arguments):
    error, [[ok, message]] = peer.call(method, *arguments)
    assert error is None
    assert ok == 0
    assert message[0]
    assert peer.value("tick_cue") > 0


def test_a_map_sent_by_a_client_is_loaded_or_refused(peer):
    peer.call("copy_opendrive_to_file", opendrive("Quarry01"), [])
    assert peer.call("load_new_episode", "OpenDriveMap", True, 0) == (None, [[False]])
    assert peer.value("get_map_info")[0] == "Simulator/Maps/OpenDriveMap"
    for bad, word in (("<OpenDRIVE>torn", "OpenDRIVE 1.4"), ("<OpenDRIVE></OpenDRIVE>", "no driving lane")):
        peer.call("copy_opendrive_to_file", bad, [])
        _, [[failed, message]] = peer.call("load_new_episode", "OpenDriveMap", True, 0)
        assert failed
        assert word in message[0]
    assert peer.value("get_map_info")[0] == "Simulator/Maps/OpenDriveMap"
    assert peer.value("get_map_data") == opendrive("Quarry01")


@pytest.mark.parametrize("noise", [b"\xc1\xc1\xc1", b"GET / HTTP/1.1\r\n\r\n", msgpack.packb([0, 1, "version", []])])
def test_noise_ends_only_its_own_connection(endpoint, peer, noise):
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as stranger:
        stranger.sendall(noise)
        assert stranger.recv(100) == b""
    assert peer.value("version") == "0.9.16"


def test_a_batch_reports_each_command(peer):
    description = [1, "vehicle.audi.tt", []]
    place = peer.value("get_map_info")[1][0]
    after = [[[2, [0, [0.5, 0.0, 0.0, False, False, False, 0]]]]]
    spawn = [[0, [description, place, [False], 0, "", after]]]
    error, results = peer.call("apply_batch", [spawn, spawn, [[1, [999]]], [[3, [2, []]]]], False)
    assert error is None
    assert results[0] == [[1, 2]]
    assert "collision" in results[1][0][1][0]
    assert "999" in results[2][0][1][0]
    assert "Ackermann" in results[3][0][1][0]
    for _ in range(5):
        peer.value("tick_cue")
    assert peer.value("get_telemetry_data", 2)[0] > 0.5, "the spawned car's throttle was set in the same command"


def test_a_subscriber_that_does_not_read_holds_nobody_up(endpoint, peer):
    token = peer.value("get_sensor_token", 1)[0]
    stream_id, port = struct.unpack_from("<IH", token)
    peer.value("set_episode_settings", [True, False, [True, 0.05], True, 0.01, 10, 0.0, True, 0.0, 0.0, True])
    with socket.create_connection((endpoint.host, port), timeout=5) as idle:
        idle.sendall(struct.pack("<I", stream_id))
        begin = time.monotonic()
        for _ in range(2000):
            peer.value("tick_cue")
        assert time.monotonic() - begin < 20.0
