"""Code for the real client, to stand before a test's own: cars on autopilot, and cameras on a car."""

STREET_SCENE = """
import socket

def traffic_manager(world):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    manager = client.get_trafficmanager(port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(5)
    world.tick()
    return manager

def on_autopilot(world, manager, points):
    blueprint = world.get_blueprint_library().find("vehicle.nissan.micra")
    cars = [world.spawn_actor(blueprint, point) for point in points]
    for car in cars:
        car.set_autopilot(True, manager.get_port())
    return cars

def end_traffic(world, manager, cars):
    for car in cars:
        car.set_autopilot(False, manager.get_port())
    world.tick()
    for car in cars:
        car.destroy()
    world.tick()
    manager.set_synchronous_mode(False)
    manager.shut_down()
    free(world)

def watching(world, car, kind, read, **attributes):
    blueprint = world.get_blueprint_library().find("sensor.camera." + kind)
    for name, value in ({"image_size_x": 64, "image_size_y": 48} | attributes).items():
        if blueprint.has_attribute(name):
            blueprint.set_attribute(name, str(value))
    camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(0.5, 0, 1.6)), attach_to=car)
    received = queue.Queue()
    camera.listen(lambda image: received.put(read(image)))
    return camera, received

def put_away(cameras):
    for camera in cameras:
        camera.stop()
    for camera in cameras:
        camera.destroy()
"""
