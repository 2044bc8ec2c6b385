"""Ten cars on autopilot and three cameras, written from CARLA's documentation alone: PORT FOLDER."""

import queue
import random
import sys

import carla

client = carla.Client("localhost", int(sys.argv[1]))
client.set_timeout(60.0)
world = client.get_world()
original_settings = world.get_settings()
traffic_manager = client.get_trafficmanager(int(sys.argv[3]) if len(sys.argv) > 3 else 8000)
actors, sensors = [], []
try:
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    world.apply_settings(settings)
    traffic_manager.set_synchronous_mode(True)
    random.seed(0)
    library = world.get_blueprint_library()
    cars = [b for b in library.filter("vehicle.*") if int(b.get_attribute("number_of_wheels")) == 4]
    spawn_points = world.get_map().get_spawn_points()
    random.shuffle(spawn_points)
    for spawn_point in spawn_points:
        vehicle = world.try_spawn_actor(random.choice(cars), spawn_point)
        if vehicle is not None:
            vehicle.set_autopilot(True, traffic_manager.get_port())
            actors.append(vehicle)
        if len(actors) == 10:
            break
    images = queue.Queue()
    mount = carla.Transform(carla.Location(x=1.5, z=2.4))
    for kind in ("rgb", "depth", "semantic_segmentation"):
        blueprint = library.find(f"sensor.camera.{kind}")
        blueprint.set_attribute("image_size_x", "320")
        blueprint.set_attribute("image_size_y", "180")
        sensors.append(world.spawn_actor(blueprint, mount, attach_to=actors[0]))
        sensors[-1].listen(lambda image, kind=kind: images.put((kind, image)))
    for _ in range(5):
        frame = world.tick()
        for _ in sensors:
            kind, image = images.get(timeout=60.0)
            assert image.frame == frame
            image.save_to_disk(f"{sys.argv[2]}/{kind}-{image.frame}.png")
    print(f"saved {5 * len(sensors)} images of {len(actors)} cars")
finally:
    for sensor in sensors:
        sensor.stop()
    client.apply_batch([carla.command.DestroyActor(actor) for actor in sensors + actors])
    world.tick()
    traffic_manager.set_synchronous_mode(False)
    world.apply_settings(original_settings)
