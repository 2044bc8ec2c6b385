"""Every kind of sensor, as the real client receives and parses it."""

import math

import pytest
from real_client import client

from phipd_sim2real.simulator.collisions import RESTITUTION
from phipd_sim2real.simulator.process import simulator_process

pytest.importorskip("carla", reason="needs the carla wheel")
pytest.importorskip("embreex", reason="needs the ray caster")

STAGE = """
world = fresh()
library, world_map = world.get_blueprint_library(), world.get_map()
point = world_map.get_spawn_points()[0]
ego = world.spawn_actor(library.find("vehicle.tesla.model3"), point)
ahead = world_map.get_waypoint(point.location).next(14.0)[0].transform
car = world.spawn_actor(library.find("vehicle.seat.leon"), ahead)
made, queues = {}, {}

def fix(name, kind, place, parent=None, attachment=carla.AttachmentType.Rigid, read=lambda data: data, **attributes):
    blueprint = library.find(kind)
    for key, value in attributes.items():
        blueprint.set_attribute(key, str(value))
    sensor = world.spawn_actor(blueprint, place, attach_to=parent or ego, attachment_type=attachment)
    received = queue.Queue()
    sensor.listen(lambda data: received.put((data.frame, read(data))))
    made[name], queues[name] = sensor, received

def next_of(name):
    return queues[name].get(timeout=60)

def strike():
    for sensor in made.values():
        sensor.stop()
    for sensor in made.values():
        sensor.destroy()
    ego.destroy(), car.destroy()
    world.tick()
    free(world)

roof = carla.Transform(carla.Location(0.3, 0.0, 2.2))
array = lambda data, kind: np.frombuffer(data.raw_data, kind).copy()
"""


@pytest.fixture(scope="module")
def endpoint():
    with simulator_process("Orchard01", seed=1) as running:
        yield running


def stage(endpoint, body):
    return client(endpoint, STAGE + body)


def test_lidars_see_the_car_ahead_where_it_is(endpoint):
    said = stage(
        endpoint,
        """
turning = dict(channels=16, range=60, points_per_second=48000, rotation_frequency=10, upper_fov=2, lower_fov=-20)
head = lambda data: (data.horizontal_angle, data.channels, [data.get_point_count(k) for k in range(data.channels)])
fix("plain", "sensor.lidar.ray_cast", roof, read=lambda data: (array(data, "f4").reshape(-1, 4), head(data),
    [data[0].point.x, data[0].intensity]), dropoff_general_rate=0, dropoff_zero_intensity=0, **turning)
fix("lossy", "sensor.lidar.ray_cast", roof, read=lambda data: array(data, "f4").reshape(-1, 4), noise_stddev=0.05,
    attachment=carla.AttachmentType.SpringArm, **turning)
fix("labels", "sensor.lidar.ray_cast_semantic", roof, read=lambda data: (array(data, np.dtype(
    [("p", "f4", 3), ("cos", "f4"), ("object", "u4"), ("tag", "u4")])), head(data), data[0].object_tag), **turning)
for _ in range(2):
    frame = world.tick()
    got = {name: next_of(name) for name in made}
assert all(one[0] == frame for one in got.values())
(plain, (angle, channels, counts), first), lossy, (labels, label_head, tag) = (one[1] for one in got.values())
box = car.bounding_box
inside = []
for x, y, z in labels["p"][labels["object"] == car.id].astype(float):
    place = car.get_transform().inverse_transform(made["labels"].get_transform().transform(carla.Location(x, y, z)))
    over = (abs(place.x) - box.extent.x, abs(place.y) - box.extent.y, abs(place.z - box.location.z) - box.extent.z)
    inside.append(max(over))
said = dict(same=bool(np.allclose(plain[:, :3], labels["p"])), counts=[sum(counts), len(plain), len(labels)],
    channels=channels, angle=angle, label_head=label_head[2] == counts, lossy=len(lossy) / len(plain),
    on_car=len(inside), outside=max(inside), tags=sorted(set(labels["tag"][labels["object"] == car.id].tolist())),
    others=sorted(set(labels["tag"].tolist())), cos=[float(labels["cos"].min()), float(labels["cos"].max())],
    loss=float(np.abs(plain[:, 3] - np.exp(-0.004 * np.linalg.norm(plain[:, :3], axis=1))).max()),
    far=float(np.linalg.norm(plain[:, :3], axis=1).max()), first=[first, plain[0, [0, 3]].tolist()], tag=tag)
strike()
print(json.dumps(said))
""",
    )
    assert said["same"]
    assert said["label_head"]
    assert len(set(said["counts"])) == 1
    assert said["counts"][0] > 1500
    assert said["channels"] == 16
    assert said["angle"] == pytest.approx(0.0, abs=1e-4)
    assert 0.3 < said["lossy"] < 0.56
    assert said["on_car"] > 20
    assert said["outside"] < 0.03, "the rear lights stand out by a hundredth of the half length"
    assert said["tags"] == [14]
    assert {1, 14} <= set(said["others"])
    assert 0.0 <= said["cos"][0] < said["cos"][1] <= 1.0001
    assert said["loss"] < 1e-5
    assert said["far"] <= 60.001
    assert said["first"][0] == pytest.approx(said["first"][1])
    assert said["tag"] in said["others"]


def test_radar_measures_the_speed_of_the_car_ahead(endpoint):
    said = stage(
        endpoint,
        """
bumper = carla.Transform(carla.Location(2.3, 0.0, 0.8))
fix("radar", "sensor.other.radar", bumper, horizontal_fov=20, vertical_fov=8, points_per_second=6000,
    read=lambda data: ([[one.velocity, one.azimuth, one.altitude, one.depth] for one in data],
                       array(data, "f4").reshape(-1, 4)))
forward = ego.get_transform().get_forward_vector()
car.set_target_velocity(9.0 * car.get_transform().get_forward_vector())
ego.set_target_velocity(4.0 * forward)
for _ in range(3):
    world.tick()
    detections, raw = next_of("radar")[1]
gap = ego.get_transform().location.distance(car.get_transform().location)
on_car = raw[(raw[:, 3] < gap - 1) & (raw[:, 3] > gap - 5) & (np.abs(raw[:, 1]) < 0.05) & (raw[:, 2] > -0.02)]
road = raw[np.abs(raw[:, 3] * np.sin(raw[:, 2]) + 0.8) < 0.02]
said = dict(parsed=bool(np.allclose(detections, raw)), car=on_car[:, 0].tolist(), road=road.tolist(),
    speed=[car.get_velocity().length(), ego.get_velocity().length()], azimuth=float(np.abs(raw[:, 1]).max()))
strike()
print(json.dumps(said))
""",
    )
    assert said["parsed"]
    assert len(said["car"]) > 5
    closing = said["speed"][0] - said["speed"][1]
    assert sum(said["car"]) / len(said["car"]) == pytest.approx(closing, abs=0.15)
    assert said["azimuth"] <= math.radians(10.0) + 1e-5
    for velocity, azimuth, altitude, _ in said["road"]:
        toward = -said["speed"][1] * math.cos(azimuth) * math.cos(altitude)
        assert velocity == pytest.approx(toward, abs=0.15), "what stands still comes nearer with the radar's own speed"


def test_inertial_unit_and_satellite_receiver_tell_the_cars_motion(endpoint):
    said = stage(
        endpoint,
        """
middle = carla.Transform(carla.Location(0.0, 0.0, 0.0))
fix("imu", "sensor.other.imu", middle, read=lambda data: (data.accelerometer.x, data.accelerometer.y,
    data.accelerometer.z, data.gyroscope.z, data.compass))
fix("noisy", "sensor.other.imu", middle, read=lambda data: (data.accelerometer.x, data.gyroscope.z),
    noise_accel_stddev_x=0.3, noise_gyro_bias_z=0.5)
fix("gnss", "sensor.other.gnss", middle, read=lambda data: (data.latitude, data.longitude, data.altitude))
fix("off", "sensor.other.gnss", middle, read=lambda data: data.latitude, noise_lat_bias=0.25)
rest = []
for _ in range(4):
    world.tick()
    rest.append([next_of(name)[1] for name in made])
ego.apply_control(carla.VehicleControl(throttle=0.6, steer=0.3))
rows = []
for _ in range(15):
    world.tick()
    imu, noisy, gnss, off = (next_of(name)[1] for name in made)
    velocity, place = ego.get_velocity(), ego.get_transform()
    told = world_map.transform_to_geolocation(made["gnss"].get_transform().location)
    rows.append(dict(imu=imu, noisy=noisy, yaw=place.rotation.yaw, speed=velocity.length(),
        turn=ego.get_angular_velocity().z, off=off - gnss[0],
        gnss=[gnss[0] - told.latitude, gnss[1] - told.longitude, gnss[2] - told.altitude]))
strike()
print(json.dumps(dict(rest=rest[-1][0], rows=rows)))
""",
    )
    assert said["rest"][:4] == pytest.approx([0.0, 0.0, 9.81, 0.0], abs=1e-3)
    last = said["rows"][-1]
    for before, now in zip(said["rows"][5:], said["rows"][6:], strict=False):
        along = (now["speed"] - before["speed"]) / 0.1
        assert now["imu"][0] == pytest.approx(along, abs=0.5)
        assert now["imu"][1] == pytest.approx(now["speed"] * math.radians(now["turn"]), abs=0.5)
        assert now["imu"][2] == pytest.approx(9.81, abs=0.3)
        assert now["imu"][3] == pytest.approx(math.radians(0.5 * (now["turn"] + before["turn"])), abs=0.02)
        north = math.radians(now["yaw"]) + math.pi / 2
        assert math.remainder(now["imu"][4] - north, 2 * math.pi) == pytest.approx(0.0, abs=1e-3)
        assert now["gnss"] == pytest.approx([0.0, 0.0, 0.0], abs=1e-5)
        assert now["off"] == pytest.approx(0.25)
    assert last["turn"] > 5.0
    offsets = [row["noisy"][0] - row["imu"][0] for row in said["rows"]]
    assert 0.05 < max(map(abs, offsets)) < 2.0
    assert last["noisy"][1] - last["imu"][3] == pytest.approx(0.5, abs=1e-4)


def test_collisions_obstacles_and_crossed_lanes_are_told(endpoint):
    said = stage(
        endpoint,
        """
centre = carla.Transform()
describe = lambda data: (data.actor.id, data.other_actor.id, data.other_actor.type_id)
fix("collision", "sensor.other.collision", centre, read=lambda data: (*describe(data),
    [data.normal_impulse.x, data.normal_impulse.y, data.normal_impulse.z]))
fix("other", "sensor.other.collision", centre, parent=car, read=lambda data: (*describe(data),
    [data.normal_impulse.x, data.normal_impulse.y, data.normal_impulse.z]))
fix("obstacle", "sensor.other.obstacle", carla.Transform(carla.Location(2.4, 0.0, 0.7)),
    read=lambda data: (*describe(data), data.distance), distance=20, hit_radius=0.3, only_dynamics=True)
fix("lanes", "sensor.other.lane_invasion", centre, read=lambda data: [str(m.type) for m in data.crossed_lane_markings])
world.tick()
gap = ego.get_transform().location.distance(car.get_transform().location)
obstacle = next_of("obstacle")[1]
quiet = [queues["collision"].empty(), queues["other"].empty()]
forward = ego.get_transform().get_forward_vector()
ego.enable_constant_velocity(carla.Vector3D(8.0, 0.0, 0.0))
before = world.get_snapshot().frame
for _ in range(40):
    world.tick()
    if not queues["collision"].empty():
        break
hit, back = next_of("collision"), next_of("other")
frames = [before, world.get_snapshot().frame]
heading = [forward.x, forward.y]
# Into the verge: everything beside the road is the static world's.
ego.set_transform(world_map.get_spawn_points()[40])
away = world.tick()
static, crossed = [], []
for tick in range(110):
    ego.apply_control(carla.VehicleControl(steer=0.08))
    world.tick()
    while not queues["collision"].empty():
        told, event = next_of("collision")
        static += [event[2]] if told > away else []
    while not queues["lanes"].empty():
        crossed += next_of("lanes")[1]
said = dict(ids=[ego.id, car.id], obstacle=obstacle, gap=gap, half=car.bounding_box.extent.x, quiet=quiet, hit=hit,
    back=back, frames=frames, heading=heading, static=sorted(set(static)), crossed=sorted(set(crossed)))
strike()
print(json.dumps(said))
""",
    )
    ego, car = said["ids"]
    assert said["obstacle"][:3] == [ego, car, "vehicle.seat.leon"]
    assert said["obstacle"][3] == pytest.approx(said["gap"] - said["half"] - 2.4 - 0.3, abs=0.25)
    assert said["quiet"] == [True, True]
    (frame, hit), (other_frame, back) = said["hit"], said["back"]
    assert said["frames"][0] < frame == other_frame <= said["frames"][1]  # it may arrive after its tick's reply
    assert hit[:3] == [ego, car, "vehicle.seat.leon"]
    assert back[:2] == [car, ego]
    assert hit[3] == pytest.approx([-value for value in back[3]], rel=1e-5)
    strength = math.hypot(*hit[3])
    assert strength == pytest.approx((1 + RESTITUTION) * 8.0 * 1750 * 1300 / 3050, rel=0.05)
    along = (hit[3][0] * said["heading"][0] + hit[3][1] * said["heading"][1]) / strength
    assert along < -0.9, "the car in front pushes back"
    assert said["static"]
    assert all(name.startswith("static.") for name in said["static"])
    assert said["crossed"]


def test_normals_and_flow_come_as_the_client_wants_them(endpoint):
    said = stage(
        endpoint,
        """
front = carla.Transform(carla.Location(0.5, 0.0, 1.6))
size = dict(image_size_x=96, image_size_y=64, fov=80)
pixels = lambda data: array(data, "u1").reshape(data.height, data.width, 4)
fix("normals", "sensor.camera.normals", front, read=lambda data: (pixels(data), data.fov), **size)
fix("depth", "sensor.camera.depth", front, read=lambda data: (
    pixels(data), data.convert(carla.ColorConverter.Depth), pixels(data)), **size)
fix("labels", "sensor.camera.semantic_segmentation", front, read=lambda data: (pixels(data), data.convert(
    carla.ColorConverter.CityScapesPalette), pixels(data)), **size)
fix("flow", "sensor.camera.optical_flow", front, read=lambda data: (
    array(data, "f4").reshape(data.height, data.width, 2), [data.width, data.height, data.fov], [data[5].x, data[5].y],
    len(data.get_color_coded_flow().raw_data)), **size)
ego.enable_constant_velocity(carla.Vector3D(5.0, 0.0, 0.0))
for _ in range(3):
    world.tick()
    (normals, fov), (depth, _, grey), (labels, _, palette), flows = (next_of(name)[1] for name in made)
flow, header, fifth, colours = flows
road = labels[..., 2] == 1
metres = 1000 * (depth[..., 2] + 256.0 * depth[..., 1] + 65536.0 * depth[..., 0]) / (2**24 - 1)
rows = np.broadcast_to((np.arange(64) + 0.5 - 32)[:, None], (64, 96))
focal = 48 / math.tan(math.radians(40))
moved = -flow[..., 1] * 64 / 2
expected = rows * (1 - metres / (metres + 0.5))
near = road & (metres < 25)
said = dict(up=normals[road][:, :3].astype(int).mean(0).tolist(), sky=int(normals[labels[..., 2] == 11][:, :3].max()),
    fov=[fov, header[2]], header=header, fifth=[fifth, flow[0, 5].tolist()], colours=colours,
    error=float(np.abs(moved - expected)[near].max()), most=float(np.abs(expected[near]).max()),
    grey=[int(np.ptp(grey[..., :3].astype(int), axis=-1).max()), int(grey[0, 0, 0])],
    palette=palette[road][0].tolist())
strike()
print(json.dumps(said))
""",
    )
    assert said["up"] == pytest.approx([255.0, 127.5, 127.5], abs=2.0), "blue is up: BGR"
    assert said["sky"] == 0
    assert said["fov"] == pytest.approx([80.0, 80.0])
    assert said["header"][:2] == [96, 64]
    assert said["fifth"][0] == said["fifth"][1]
    assert said["colours"] == 96 * 64 * 4
    assert said["most"] > 1.0
    assert said["error"] < 0.05
    assert said["grey"] == [0, 255]
    assert said["palette"][:3] == [128, 64, 128]


def test_blueprints_offer_carlas_attributes_and_refuse_what_cannot_be(endpoint):
    said = stage(
        endpoint,
        """
default = lambda kind, name: str(library.find(kind).get_attribute(name).recommended_values[0])
errors = []
for kind, name, value in (
    ("sensor.lidar.ray_cast", "channels", 0), ("sensor.lidar.ray_cast", "lower_fov", 50),
    ("sensor.camera.rgb", "k1", -3.0), ("sensor.other.imu", "noise_accel_stddev_x", -1.0),
):
    blueprint = library.find(kind)
    blueprint.set_attribute(name, str(value))
    try:
        world.spawn_actor(blueprint, roof, attach_to=ego)
    except RuntimeError as error:
        errors.append(str(error))
said = dict(
    kinds=sorted(one.id for one in library.filter("sensor.*")),
    lidar={a.id: str(a.type) for a in library.find("sensor.lidar.ray_cast")},
    defaults=[default("sensor.lidar.ray_cast", "dropoff_general_rate"), default("sensor.other.radar", "range"),
              default("sensor.other.obstacle", "distance"), default("sensor.camera.depth", "lens_k")],
    errors=errors,
)
strike()
print(json.dumps(said))
""",
    )
    assert said["kinds"] == sorted(
        [f"sensor.camera.{kind}" for kind in
         ("rgb", "depth", "semantic_segmentation", "instance_segmentation", "optical_flow", "normals")]
        + ["sensor.lidar.ray_cast", "sensor.lidar.ray_cast_semantic"]
        + [f"sensor.other.{kind}" for kind in ("radar", "imu", "gnss", "collision", "obstacle", "lane_invasion")]
    )  # fmt: skip
    assert said["lidar"]["channels"] == "Int"
    assert said["lidar"]["range"] == "Float"
    assert {"horizontal_fov", "noise_seed", "sensor_tick", "role_name"} <= set(said["lidar"])
    assert said["defaults"] == ["0.45", "100", "5", "-1.0"]
    assert [
        word in error for word, error in zip(("channels", "upper_fov", "folds", "stddev"), said["errors"], strict=True)
    ]


def test_waymos_lens_a_rolling_shutter_and_lamps_are_set_by_attributes(endpoint):
    said = stage(
        endpoint,
        """
front = carla.Transform(carla.Location(0.5, 0.0, 1.6))
size = dict(image_size_x=96, image_size_y=64)
lens = dict(focal_x=100, focal_y=99, centre_x=47, centre_y=33, k1=-0.1, p1=0.002)
pixels = lambda data: (array(data, "u1").reshape(data.height, data.width, 4), data.fov)
fix("plain", "sensor.camera.depth", front, read=pixels, fov=51.28201, **size)
fix("lens", "sensor.camera.depth", front, read=pixels, **size, **lens)
fix("rolling", "sensor.camera.depth", front, read=pixels, readout_direction="TOP_TO_BOTTOM", readout_s=0.1,
    **size, **lens)
fix("colour", "sensor.camera.rgb", front, read=pixels, **size)
ego.enable_constant_velocity(carla.Vector3D(10.0, 0.0, 0.0))
world.set_weather(carla.WeatherParameters.ClearNight)
brightness = []
for state in (carla.VehicleLightState.NONE, carla.VehicleLightState.LowBeam):
    ego.set_light_state(carla.VehicleLightState(state))
    world.tick()
    got = {name: next_of(name)[1] for name in made}
    brightness.append(float(got["colour"][0][40:, :, :3].mean()))
metres = {name: 1000 * (one[0][..., 2] + 256.0 * one[0][..., 1] + 65536.0 * one[0][..., 0]) / (2**24 - 1)
    for name, one in got.items() if name != "colour"}
late = np.abs(metres["lens"] - metres["rolling"])
said = dict(fov=[got["plain"][1], got["lens"][1]], brightness=brightness,
    bend=float(np.abs(metres["plain"] - metres["lens"])[45:].max()),
    rolled=[float(np.median(late[31:33])), float(np.quantile(late, 0.9))])
strike()
print(json.dumps(said))
""",
    )
    assert said["fov"] == pytest.approx([51.28201, math.degrees(2 * math.atan(0.48))], abs=1e-3)
    assert said["bend"] > 0.1
    assert said["brightness"][1] > 1.05 * said["brightness"][0]
    assert said["rolled"][0] < 0.02, "the middle line is read at the frame's time"
    assert said["rolled"][1] > 0.05
