"""Traffic lights in the picture: the lamp that the client sets shines, and nothing else changes."""

import pytest

pytest.importorskip("carla", reason="needs the carla wheel")
pytest.importorskip("embreex", reason="needs the ray caster")

import numpy as np
from real_client import client
from signalled_road import signalled_road

from phipd_sim2real.simulator.process import simulator_process
from phipd_sim2real.simulator.renderer import CameraView, Renderer
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.signal_heads import HEAD_CENTRE, HEAD_HALF_SIZE, LAMP_HEIGHTS, LightShown
from phipd_sim2real.simulator.sky import Weather
from phipd_sim2real.simulator.triangles import Label

STAGE = """
world = client.reload_world()
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
world.apply_settings(settings)
library = world.get_blueprint_library()
light = world.get_traffic_light_from_opendrive_id("101")
foot = light.get_transform().location
cameras, seen = {}, {}

def look(name, kind, ahead, yaw, **attributes):
    blueprint = library.find("sensor.camera." + kind)
    size = {"image_size_x": 160, "image_size_y": 160, "fov": 40}
    for key, value in (size | attributes).items():
        blueprint.set_attribute(key, str(value))
    place = carla.Location(foot.x + ahead, foot.y, foot.z + 2.9)
    cameras[name] = world.spawn_actor(blueprint, carla.Transform(place, carla.Rotation(yaw=yaw)))
    seen[name] = queue.Queue()
    cameras[name].listen(seen[name].put)

def pictures():
    world.tick()
    got = {name: box.get(timeout=60) for name, box in seen.items()}
    return {name: np.frombuffer(image.raw_data, np.uint8).reshape(160, 160, 4).copy() for name, image in got.items()}

def away():
    for camera in cameras.values():
        camera.stop()
        camera.destroy()
    free(world)

FOCAL = 80 / math.tan(math.radians(20))
def row(height, ahead):
    return int(80 - FOCAL * (height - 2.9) / ahead)
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "signalled.xodr"
    path.write_text(signalled_road())
    with simulator_process(str(path)) as running:
        yield running


@pytest.mark.parametrize(("style", "altitude"), [("source", 45), ("source", -30), ("target", 45), ("target", -30)])
def test_the_lamp_that_the_client_sets_shines_alone(endpoint, style, altitude):
    lens = HEAD_CENTRE[0] + HEAD_HALF_SIZE[0] + 0.01
    said = client(
        endpoint,
        STAGE
        + f"""
world.set_weather(carla.WeatherParameters(cloudiness=20, sun_altitude_angle={altitude}, sun_azimuth_angle=200))
look("rgb", "rgb", -8.0, 0.0, look="{style}")
look("tags", "semantic_segmentation", -8.0, 0.0)
look("ids", "instance_segmentation", -8.0, 0.0)
look("depth", "depth", -8.0, 0.0)
rows = [row(height, 8.0 - {lens}) for height in {LAMP_HEIGHTS}]
world.freeze_all_traffic_lights(True)
colours, labels = {{}}, []
for state in ("Red", "Yellow", "Green", "Off"):
    light.set_state(getattr(carla.TrafficLightState, state))
    got = pictures()
    colours[state] = [got["rgb"][r - 1:r + 2, 79:82, 2::-1].mean((0, 1)).tolist() for r in rows]
    labels.append(b"".join(got[name].tobytes() for name in ("tags", "ids", "depth")))
ids, tags = got["ids"][rows, 80].astype(int), got["tags"][rows, 80, 2].tolist()
metres = (got["depth"][rows, 80, 2::-1].astype(float) @ [1, 256, 65536] / 16777215 * 1000).tolist()
away()
print(json.dumps(dict(
    colours=colours, same=len(set(labels)), tags=tags, metres=metres, light=light.id & 0xFFFF,
    ids=(ids[:, 1] + 256 * ids[:, 0]).tolist(),
)))
""",
    )
    dark = np.array(said["colours"]["Off"])
    assert dark.max() < 120
    for lamp, state in enumerate(("Red", "Yellow", "Green")):
        colours = np.array(said["colours"][state])
        red, green, blue = colours[lamp]
        assert max(red, green) > 215
        assert {"Red": red > 2 * green, "Yellow": red >= green > 1.5 * blue, "Green": green > 1.4 * red}[state]
        others = [other for other in range(3) if other != lamp]
        assert (colours[others].max(1) < 0.6 * colours[lamp].max()).all()
    assert said["same"] == 1, "no label follows the lamps"
    assert said["tags"] == [Label.TRAFFIC_LIGHT] * 3
    assert said["ids"] == [said["light"]] * 3
    assert said["metres"] == pytest.approx([8.0 - lens] * 3, abs=0.02)


def test_who_is_not_ruled_sees_the_back_and_a_head_without_an_actor_is_dark_background():
    renderer = Renderer(Scene.from_opendrive("signalled", signalled_road()))
    signals = Roads("signalled", signalled_road()).signals
    x, y, z = next(signal.foot.location for signal in signals if signal.signal_id == "101")
    seen = {}
    for name, ahead, turn, lights in (
        ("front", -8.0, 1.0, (LightShown("101", 70, 0),)),
        ("back", 8.0, -1.0, (LightShown("101", 70, 0),)),
        ("silent", -8.0, 1.0, ()),
    ):
        pose = np.diag([turn, turn, 1.0, 1.0])
        pose[:3, 3] = x + ahead, -y, z + 2.9
        view = CameraView(160, 160, 40.0, pose)
        frame = renderer.render(view, (), "source", Weather(), 0, lights=lights)
        red, green, _ = np.moveaxis(frame.rgb.astype(int), -1, 0)
        head = (frame.semantics == Label.TRAFFIC_LIGHT) & (frame.depth < 9)
        seen[name] = int((head & (red > 200) & (red > 2 * green)).sum()), set(frame.instances[head].tolist())
    assert seen["front"][0] > 30
    assert seen["back"][0] == seen["silent"][0] == 0
    assert (seen["front"][1], seen["back"][1], seen["silent"][1]) == ({70}, {70}, {0})
