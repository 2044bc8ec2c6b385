"""Two servers with one seed send the same: pictures of every kind, and where the Traffic Manager takes the cars."""

import pytest
from real_client import client

from phipd_sim2real.simulator.process import simulator_process

pytest.importorskip("carla", reason="needs the carla wheel")
pytest.importorskip("embreex", reason="needs the ray caster")

DRIVE = """
    import socket

    KINDS = ("rgb", "depth", "semantic_segmentation", "instance_segmentation", "optical_flow", "normals")
    world = fresh()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    manager = client.get_trafficmanager(port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(5)
    world.tick()
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    cars = [world.spawn_actor(library.find("vehicle.nissan.micra"), point) for point in points[:40:5]]
    for car in cars:
        car.set_autopilot(True, port)
    cameras, received = [], {kind: queue.Queue() for kind in KINDS}
    for kind in KINDS:
        blueprint = library.find("sensor.camera." + kind)
        for name, value in (("image_size_x", 64), ("image_size_y", 48), ("sensor_tick", 1.0)):
            blueprint.set_attribute(name, str(value))
        mount = carla.Transform(carla.Location(0.5, 0, 1.6))
        cameras.append(world.spawn_actor(blueprint, mount, attach_to=cars[0]))
        cameras[-1].listen(lambda image, kind=kind: received[kind].put(bytes(image.raw_data)))
    drive, speed = hashlib.sha256(), 0.0
    for _ in range(30):
        world.tick(30.0)
        for car in cars:
            place, velocity = car.get_transform(), car.get_velocity()
            row = [place.location.x, place.location.y, place.location.z, place.rotation.yaw, velocity.x, velocity.y]
            drive.update(np.array(row).tobytes())
            speed = max(speed, velocity.length())
    said = {"drive": drive.hexdigest()}
    for kind in KINDS:
        said[kind] = [hashlib.sha256(received[kind].get(timeout=60)).hexdigest() for _ in range(3)]
    for camera in cameras:
        camera.stop()
        camera.destroy()
    for car in cars:
        car.set_autopilot(False, port)
    world.tick()
    for car in cars:
        car.destroy()
    world.tick()
    manager.set_synchronous_mode(False)
    manager.shut_down()
    free(world)
    print(json.dumps([said, speed]))
"""


def test_servers_with_equal_seeds_send_equal_bytes():
    said = []
    for _ in range(2):
        with simulator_process("Orchard01", seed=3) as endpoint:
            digests, speed = client(endpoint, DRIVE)
        assert speed > 5.0
        said.append(digests)
    first, again = said
    assert again == first
    assert all(len(set(first[kind])) == 3 for kind in first if kind != "drive"), "the camera moves"
