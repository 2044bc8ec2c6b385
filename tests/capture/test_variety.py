"""Plans: every combination, scenes spread over all of them, presets by name, and sentences for what cannot be."""

from collections import Counter
from itertools import pairwise

import pytest

from phipd_sim2real.capture.identity import resolved_config
from phipd_sim2real.capture.plan import WEATHER_PARAMETERS, plan_segments, vary
from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.variety import PRESETS, SCENES

PLAN = {
    "weathers": {"noon": "ClearNoon", "dusk": {"sun_altitude_degrees": (2, 8)}, "rain": "HardRainNoon"},
    "traffic": {"empty": {"cars": 0}, "dense": {"cars": 40}},
    "per_combination": 4,
}
RIG = Rig(cameras=(CameraMount(camera=1, width=64, height=32, fov_degrees=90, position_in_vehicle=(0, 0, 1)),))


def _settings(**plan):
    return CaptureSettings(maps=("Maps/One", "Maps/Two"), plan=PLAN | plan)


def test_a_plan_covers_every_combination_with_every_scene():
    planned = plan_segments(_settings())
    assert len(planned) == 2 * 3 * 2 * 4
    assert planned[0].name == "capture-one-noon-empty-0000"
    assert len({segment.name for segment in planned}) == len(planned)
    combinations = Counter((segment.map_name, segment.weather, segment.traffic) for segment in planned)
    assert set(combinations.values()) == {4}
    dense = Counter(
        (segment.map_name, segment.weather, segment.scene) for segment in planned if segment.traffic == "dense"
    )
    assert set(dense.values()) == {1}, "each scene once on each map in each weather"
    empty = {segment.scene for segment in planned if segment.traffic == "empty"}
    assert empty == {"straight", "turn"}, "nobody to follow or to stop behind"


def test_one_round_does_not_tie_scenes_to_weather_or_map():
    planned = [segment for segment in plan_segments(_settings(per_combination=1)) if segment.traffic == "dense"]
    for axis in ("map_name", "weather"):
        for value in {getattr(segment, axis) for segment in planned}:
            assert len({segment.scene for segment in planned if getattr(segment, axis) == value}) > 1


def test_turns_alternate_between_left_and_right():
    turns = [segment.turn for segment in plan_segments(_settings()) if segment.scene == "turn"]
    assert all(first != second for first, second in pairwise(turns))
    assert all(segment.turn is None for segment in plan_segments(_settings()) if segment.scene != "turn")


def test_shares_and_counts_are_kept():
    settings = _settings(scenes={"turn": 3, "straight": 1}, counts={"One/noon/dense": 9, "Two/rain/empty": 0})
    planned = plan_segments(settings)
    assert len(planned) == 48 + 5 - 4
    scenes = Counter(segment.scene for segment in planned)
    assert 2.4 < scenes["turn"] / scenes["straight"] < 3.6


def test_a_preset_sets_every_parameter_and_ranges_draw_theirs():
    carla = pytest.importorskip("carla", reason="needs the carla wheel")
    by_weather = {segment.weather: segment for segment in plan_segments(_settings())}
    rain = vary(_settings(), by_weather["rain"]).weather
    assert set(rain) == set(WEATHER_PARAMETERS)
    assert rain["precipitation"] == carla.WeatherParameters.HardRainNoon.precipitation > 50
    assert 2 <= vary(_settings(), by_weather["dusk"]).weather["sun_altitude_angle"] <= 8
    assert set(PRESETS) == {name for name in dir(carla.WeatherParameters) if name[0].isupper()}
    assert set(WEATHER_PARAMETERS) == {name for name in dir(carla.WeatherParameters.ClearNoon) if name[0].islower()}


def test_every_attempt_draws_anew_and_the_first_as_without_a_plan():
    segment = plan_segments(_settings())[0]
    drawn = [vary(_settings(), segment, attempt) for attempt in (0, 1, 2)]
    assert len({variation.slower_percent for variation in drawn}) == 3
    assert len({variation.traffic_seed for variation in drawn}) == 3
    assert vary(_settings(), segment).slower_percent == drawn[0].slower_percent


def test_settings_that_are_left_out_do_not_change_the_hash_of_a_log():
    config = resolved_config(CaptureSettings(maps=("One",)), RIG)
    assert not {"plan", "labels"} & set(config)
    assert set(config["rig"]["cameras"][0]) == {
        "camera", "width", "height", "fov_degrees", "position_in_vehicle", "yaw_degrees", "pitch_degrees",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"plan": PLAN | {"weathers": {"x": "Sunny"}}}, "no weather preset Sunny; it has Default, ClearNoon"),
        ({"plan": PLAN | {"scenes": {"stop": 1}}}, "traffic 'empty' has no cars"),
        ({"plan": PLAN | {"scenes": {"jump": 1}}}, "jump"),
        ({"plan": PLAN | {"counts": {"One/noon/none": 3}}}, "plan.counts names One/noon/none; the combinations are"),
        ({"plan": PLAN | {"counts": {"One/noon/dense": -1}}}, "0 or more"),
        ({"plan": PLAN, "segments": 60}, "remove segments"),
        ({"labels": ["camera_box"], "images": {"labels": False}}, "labels camera_box are made from depth"),
    ],
)
def test_bad_plans_get_a_sentence(values, message):
    with pytest.raises(ValueError, match=message):
        CaptureSettings(**({"maps": ("One",)} | values))


def test_a_plan_survives_the_way_to_the_worker():
    settings = _settings()
    again = CaptureSettings.model_validate_json(settings.model_dump_json())
    assert plan_segments(again) == plan_segments(settings)
    assert set(SCENES) == set(again.plan.scenes)
