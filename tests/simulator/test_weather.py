"""Weather and lamps: what gets darker, wetter, foggier, and what shines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import LANE_WIDTH, straight_road

from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.casting import Stage
from phipd_sim2real.simulator.episode import CLEAR_NOON
from phipd_sim2real.simulator.furniture import street_light
from phipd_sim2real.simulator.lamps import LightState, head_lamps, irradiance, street_lamps
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.rays import CameraView
from phipd_sim2real.simulator.renderer import Renderer
from phipd_sim2real.simulator.scene import Geometry, Scene
from phipd_sim2real.simulator.sky import Weather, light
from phipd_sim2real.simulator.surface import Surface
from phipd_sim2real.simulator.triangles import Label, Material, triangles

DAY = Weather(sun_altitude_deg=45.0)
NIGHT = Weather(sun_altitude_deg=-40.0)
LOW = int(LightState.POSITION | LightState.LOW_BEAM)


@pytest.fixture(scope="module")
def renderer():
    return Renderer(Scene.from_opendrive("straight", straight_road()))


def pose(x, y=-LANE_WIDTH / 2, z=0.0):
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def car(x, lights=0, actor_id=7):
    extent = (2.4, 1.0, 0.74)
    return ActorShape(actor_id, "vehicle.tesla.model3", (90, 90, 90), pose(x), extent, (0, 0, 0.74), None, lights)


def see(renderer, weather, *actors, look="source"):
    return renderer.render(CameraView(160, 96, 80.0, pose(50, z=1.6)), actors, look, weather, 0)


def test_a_clear_noon_of_carla_is_todays_light():
    for look in LOOKS.values():
        told = light(look, Weather.from_carla(CLEAR_NOON))
        assert (told.night, told.fog, told.puddles) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_the_sun_goes_down_without_a_step(look):
    levels = [light(LOOKS[look], Weather(sun_altitude_deg=a)).sky.mean() for a in np.linspace(12, -16, 57)]
    ratio = np.array(levels[1:]) / levels[:-1]
    assert (ratio <= 1.001).all()
    assert (ratio > 0.7).all()
    assert levels[-1] < 0.02 * levels[0]


def test_nights_are_dark_and_lamps_light_the_road(renderer):
    day, night = see(renderer, DAY), see(renderer, NIGHT)
    lit = see(renderer, NIGHT, car(50.0, LOW))
    road = np.isin(night.semantics, (Label.ROADS, Label.ROAD_LINES)) & (night.depth > 6) & (night.depth < 25)
    assert night.rgb[road].mean() < 0.5 * day.rgb[road].mean()
    assert lit.rgb[road].mean() > 1.5 * night.rgb[road].mean()
    np.testing.assert_array_equal(lit.semantics, night.semantics)


def test_brake_lights_shine_by_day_and_by_night(renderer):
    for weather in (DAY, NIGHT):
        off, on = (see(renderer, weather, car(60.0, lights)).rgb.astype(int) for lights in (0, int(LightState.BRAKE)))
        redder = (on - off)[..., 0] - (on - off)[..., 2]
        assert redder.max() > 40


def test_a_car_throws_a_shadow_in_the_head_lamps(renderer):
    stage = Stage(renderer.scene, "modern", [car(62.0, 0, 8)], np.array([50.0, -LANE_WIDTH / 2, 1.6]))
    lamp = head_lamps([car(50.0, LOW)], np.array([50.0, 0, 0]))[0]
    points = np.array([[x, -LANE_WIDTH / 2, 0.1] for x in (56.0, 58.0, 66.0, 70.0)], np.float32)
    rays = lamp.position - points
    reach = np.linalg.norm(rays, axis=1).astype(np.float32)
    hidden = stage.blocked(points, np.ascontiguousarray(rays / reach[:, None]), reach)
    assert hidden.tolist() == [False, False, True, True]


def facing(points, normals):
    """A surface of (3, n) points with (3, n) normals."""
    count = points.shape[1]
    nothing, vectors, rows = np.zeros(count, np.float32), np.zeros((3, count), np.float32), np.arange(count)
    soup = triangles(np.zeros((1, 3, 3)), Material.PAINTWORK, Label.CAR)
    kinds = np.full(count, Material.PAINTWORK, np.uint8)
    hits = (kinds, rows, np.zeros(count, np.intp), nothing, nothing, points, vectors, nothing, normals)
    return Surface(soup, *hits, material=Material.PAINTWORK, footprint=nothing, visibility=nothing)


def test_a_lamp_obeys_the_inverse_square_and_the_cosine():
    lamp = replace(head_lamps([car(0.0, LOW | LightState.HIGH_BEAM)], np.zeros(3))[0], near=0.25, reach=1e6)
    distances = np.array([10.0, 20.0])
    points = lamp.position + lamp.axis * distances[:, None]
    for turn in (0.0, 60.0):
        tilt = np.radians(turn)
        normal = np.tile([[-np.cos(tilt)], [np.sin(tilt)], [0]], 2).astype(np.float32)
        flat = facing(points.astype(np.float32).T, normal)
        got = irradiance([lamp], flat, lambda points, rays, reach: np.zeros(len(points), bool))
        np.testing.assert_allclose(got[0], lamp.colour[0] * np.cos(tilt) / distances**2, rtol=1e-3)
    assert not irradiance([lamp], flat, lambda points, rays, reach: np.ones(len(points), bool)).any()


def test_street_lights_shine_from_their_heads():
    heads = Geometry(street_light(np.array([3.0, 4.0, 0.5]), np.pi / 2)).lamp_heads
    np.testing.assert_allclose(heads, [[3.0, 5.8, 7.3]], atol=1e-5)
    lamps = street_lamps(np.tile(heads, (30, 1)), np.zeros(3))
    assert 0 < len(lamps) < 30
    assert lamps[0].axis.tolist() == [0, 0, -1]


def test_fog_hides_what_is_beyond_it_and_begins_where_it_is_told(renderer):
    clear, thick = see(renderer, DAY, car(80.0)), see(renderer, replace(DAY, fog_density=90.0), car(80.0))
    far = replace(DAY, fog_density=90.0, fog_distance=60.0)
    distant = (clear.depth > 60) & (clear.semantics != Label.SKY)
    near = clear.depth < 8
    assert np.ptp(thick.rgb[distant].mean(-1)) < 0.8 * np.ptp(clear.rgb[distant].mean(-1))
    light_far = light(LOOKS["source"], far)
    assert light_far.haze == light(LOOKS["source"], DAY).haze
    assert light_far.fog_start == pytest.approx(59.25)
    assert near.any()


def test_puddles_lie_in_part_of_the_road_only(renderer):
    damp, pools = (see(renderer, replace(DAY, wetness=60.0, precipitation_deposits=d)) for d in (0.0, 70.0))
    road = (damp.semantics == Label.ROADS) & (damp.depth < 40)
    changed = np.abs(damp.rgb[road].astype(int) - pools.rgb[road]).max(-1) > 12
    assert 0.02 < changed.mean() < 0.9


def test_carlas_presets_come_through_in_order():
    import carla

    preset = carla.WeatherParameters.HardRainNight
    names = ("cloudiness", "precipitation", "precipitation_deposits", "wind_intensity", "sun_azimuth_angle",
             "sun_altitude_angle", "fog_density", "fog_distance", "fog_falloff", "wetness")  # fmt: skip
    weather = Weather.from_carla([getattr(preset, name) for name in names])
    assert weather.sun_altitude_deg == -90.0
    assert weather.precipitation == 100.0
    assert weather.precipitation_deposits == 90.0
    assert (weather.fog_density, weather.wetness) == (100.0, 100.0)
    assert weather.fog_distance == pytest.approx(0.75)
