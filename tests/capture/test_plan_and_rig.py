"""Settings, plan and rig of a capture, without any server."""

from pathlib import Path

import numpy as np
import pytest

from phipd_sim2real.capture.connection import free_port
from phipd_sim2real.capture.lens import warn_of_widths
from phipd_sim2real.capture.log import check_capture
from phipd_sim2real.capture.plan import plan_segments, vary
from phipd_sim2real.capture.rig import CameraMount, Rig, load_rig
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.settings import load_settings
from phipd_sim2real.waymo import project

RIGS = sorted((Path(__file__).parents[2] / "configs/rigs").glob("*.yaml"))


def _settings(**values):
    return CaptureSettings(**({"maps": ("Maps/One", "Maps/Two")} | values))


def test_the_plan_depends_on_the_settings_alone_and_grows_without_changing():
    short, long = plan_segments(_settings(segments=3)), plan_segments(_settings(segments=7))
    assert long[:3] == short
    assert [segment.name for segment in short] == ["capture-one-0000", "capture-two-0001", "capture-one-0002"]
    assert len({segment.seed for segment in long}) == 7


def test_widths_that_some_servers_shear_are_named(recwarn):
    mount = CameraMount(camera=2, width=150, height=90, fov_degrees=90, position_in_vehicle=(2, 0, 1.6))
    lens = {"f_u": 100, "f_v": 100, "c_u": 75, "c_v": 45}
    with_lens = CameraMount(camera=3, width=150, height=90, lens=lens, position_in_vehicle=(2, 0, 1.6))
    whole = mount.model_copy(update={"camera": 1, "width": 640})
    rig = Rig(rear_axle_behind_origin_m=1.4, cameras=(whole, mount, with_lens))
    warn_of_widths(rig)
    (warning,) = recwarn
    assert "Camera 2 is 150 px wide" in str(warning.message)
    assert "Take 128 or 192" in str(warning.message)


def test_the_warning_of_widths_is_for_carla_servers(tmp_path, recwarn):
    settings = _settings(rig=RIGS[1].with_name("front-one.yaml"), endpoint=f"127.0.0.1:{free_port()}", connect_s=1)
    with pytest.raises(UsageError, match="No CARLA server answered"):
        check_capture(settings, tmp_path)
    assert "240 px wide" in str(recwarn.pop(UserWarning).message)


def test_variation_comes_from_the_segments_seed():
    settings = _settings(segments=40)
    drawn = [vary(settings, segment) for segment in plan_segments(settings)]
    again = [vary(settings, segment) for segment in plan_segments(settings)]
    assert [(v.slower_percent, v.weather) for v in drawn] == [(v.slower_percent, v.weather) for v in again]
    slower = np.array([v.slower_percent for v in drawn])
    assert slower.min() >= -20
    assert slower.max() <= 30
    assert slower.std() > 10
    assert all(abs(v.lane_offset_m) <= 0.5 for v in drawn)


def test_pictures_fall_on_poses_inside_the_window():
    settings = _settings(delta_s=0.05, seconds=20, images={"period_s": 0.5, "window_s": (4.0, 15.0)})
    times = np.array(settings.image_ticks()) * settings.delta_s
    np.testing.assert_allclose(times, np.arange(4.0, 15.01, 0.5))
    assert list(_settings(seconds=2).image_ticks()) == list(range(21))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delta_s": 0.03}, "must divide 0.1 s"),
        ({"images": {"window_s": (4.0, 25.0)}}, "within the 20.0 s"),
        ({"images": {"period_s": 0.25}}, "multiple of 0.1 s"),
        ({"endpoint": "http://x"}, "endpoint"),
        ({"endpoint": "host:2000", "workers": 2}, "one server serves one worker"),
        ({"weather": {"cloudiness_percent": (50, 20)}}, "low, high"),
        ({"carz": 3}, "unknown key 'carz'"),
    ],
)
def test_bad_settings_get_a_sentence(tmp_path, values, message):
    config = tmp_path / "capture.yaml"
    config.write_text(str({"maps": ["One"]} | values).replace("(", "[").replace(")", "]"))
    with pytest.raises(UsageError, match=message):
        load_settings(CaptureSettings, config)


@pytest.mark.parametrize("path", RIGS, ids=lambda path: path.stem)
def test_every_shipped_rig_sees_what_lies_ahead_of_each_camera(path):
    rig = load_rig(path)
    for mount in rig.cameras:
        calibration = mount.calibration()
        yaw = np.radians(mount.yaw_degrees)
        ahead = np.array(mount.position_in_vehicle) + 10 * np.array([np.cos(yaw), np.sin(yaw), 0])
        left = ahead + np.array([-np.sin(yaw), np.cos(yaw), 0])
        above = ahead + np.array([0, 0, 1])
        pixels, valid = project(np.stack([ahead, left, above]), calibration)
        assert valid.all()
        centre = calibration.intrinsic[2:4]
        np.testing.assert_allclose(pixels[0], centre, atol=1e-6)
        assert pixels[1, 0] < centre[0], "what is to the left appears to the left"
        assert pixels[2, 1] < centre[1], "what is higher appears higher"


def test_a_rig_with_one_id_twice_is_refused(tmp_path):
    camera = "{camera: 1, width: 64, height: 64, fov_degrees: 90, position_in_vehicle: [0, 0, 1]}"
    (tmp_path / "rig.yaml").write_text(f"cameras:\n  - {camera}\n  - {camera}\n")
    with pytest.raises(UsageError, match="each id may occur once"):
        load_rig(tmp_path / "rig.yaml")
