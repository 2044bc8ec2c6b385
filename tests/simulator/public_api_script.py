"""Ten cars on autopilot and three cameras, written from CARLA's documentation alone: PORT FOLDER TM_PORT."""

import queue
import sys

import carla

client = carla.Client("localhost", int(sys.argv[1]))
client.set_timeout(60.0)
world = client.get_world()
traffic_manager = client.get_trafficmanager(int(sys.argv[3]))
traffic_manager.set_synchronous_mode(True)
settings = world.get_settings()
settings.synchronous_mode = True
settings.fixed_delta_seconds = 0.05
world.apply_settings(settings)
library = world.get_blueprint_library()
cars, sensors, images = [], [], queue.Queue()
for spawn_point in world.get_map().get_spawn_points()[:10]:
    cars.append(world.spawn_actor(library.find("vehicle.tesla.model3"), spawn_point))
    cars[-1].set_autopilot(True, traffic_manager.get_port())
for kind in ("rgb", "depth", "semantic_segmentation"):
    blueprint = library.find(f"sensor.camera.{kind}")
    blueprint.set_attribute("image_size_x", "320")
    blueprint.set_attribute("image_size_y", "180")
    mount = carla.Transform(carla.Location(x=1.5, z=2.4))
    sensors.append(world.spawn_actor(blueprint, mount, attach_to=cars[0]))
    sensors[-1].listen(lambda image, kind=kind: images.put((kind, image)))
for _ in range(5):
    frame = world.tick()
    for kind, image in (images.get(timeout=60.0) for _ in sensors):
        assert image.frame == frame
        image.save_to_disk(f"{sys.argv[2]}/{kind}-{image.frame}.png")
for sensor in sensors:
    sensor.stop()
client.apply_batch([carla.command.DestroyActor(actor) for actor in sensors + cars])
world.tick()
traffic_manager.set_synchronous_mode(False)
settings.synchronous_mode = False
world.apply_settings(settings)
