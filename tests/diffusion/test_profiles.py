"""Profiles by task and by file, learned from labels; and noise that the frames of a clip share."""

import itertools

import cv2
import numpy as np
import pytest
import yaml
from conftest import street
from test_sources import _bytes, _image_row

from phipd_sim2real.diffusion import EnhanceSettings, enhance_log, enhance_path
from phipd_sim2real.diffusion.clip_noise import correlated_draws, white_noise
from phipd_sim2real.diffusion.clips import enhance_clip
from phipd_sim2real.diffusion.enhancer import Enhancer, method
from phipd_sim2real.diffusion.profiles import SHIPPED, ProfileSettings
from phipd_sim2real.diffusion.task_profiles import TASKS, learned_profile, task_weights, write_profile
from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, Provenance, SegmentWriter, column, write_provenance
from phipd_sim2real.drivelog.images import encode_labels
from phipd_sim2real.errors import UsageError
from phipd_sim2real.settings import load_settings


@pytest.fixture(scope="module")
def enhancer(tiny_model):
    return Enhancer.from_pretrained(tiny_model, device="cpu", precision="float32")


def _log(root, semantics=True, seen=range(4)):
    """Flat cars on a flat road under a grainy sky, four frames."""
    rng = np.random.default_rng(0)
    with SegmentWriter(root, "a", "hash") as writer:
        for frame in seen:
            labels = np.full((96, 128), 11, np.uint8)
            labels[48:] = 1
            labels[56 + 4 * frame : 80, 20 * frame + 10 : 20 * frame + 40] = 14
            image = np.choose(labels // 4, [60, 0, 170, 220])[..., None] + np.zeros(3)
            image[:48] += rng.normal(0, 25, (48, 128, 1))
            writer.append("camera_image", _image_row(frame, 1, image.clip(0, 255).astype(np.uint8)))
            if semantics:
                own = {column("camera_semantics", "image"): encode_labels(labels)}
                writer.append("camera_semantics", {TIMESTAMP: frame, CAMERA: 1} | own)
    config = {"maps": ["Drawn"], "look": "flat"}
    write_provenance(root, Provenance(domain="drawn", config=config, config_hash="hash", seed=0))
    return DriveLog(root)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return _log(tmp_path_factory.mktemp("log"))


@pytest.mark.parametrize("task", TASKS)
def test_shipped_profiles_say_where_they_come_from_and_let_texture_go(task):
    profile = EnhanceSettings(profile=task).profile
    assert profile.task == task
    assert set(profile.learned_from.config["maps"]) == {"Harbour01", "Wharf01"}
    assert profile.learned_from.config["look"] == "source"
    assert profile.learned_from.frames >= 200
    assert profile.shares[1] > profile.shares[4] > profile.shares[-1]
    assert method(EnhanceSettings(profile=task))["cutoff"].shares == profile.shares


def test_every_shipped_profile_is_a_task():
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == set(TASKS)


def test_a_profile_comes_from_a_file_and_from_the_command_line(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"edges": [0.0, 0.1, 0.5], "shares": [1.0, 0.5]}))
    settings = load_settings(EnhanceSettings, None, [f"profile={path}"])
    assert settings.profile == ProfileSettings(edges=(0.0, 0.1, 0.5), shares=(1.0, 0.5))
    assert load_settings(EnhanceSettings, None, ["profile=planning"]).profile.task == "planning"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- 1", "holds a list"),
        ("edges: [", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("{edges: [0, 1], shares: [1], more: 1}", "unknown key 'profile.more'"),
        ("{edges: [1, 0], shares: [1]}", "must ascend"),
    ],
)
def test_a_bad_profile_file_is_refused(tmp_path, text, sentence):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(UsageError, match=sentence):
        load_settings(EnhanceSettings, None, [f"profile={tmp_path / 'bad.yaml'}"])


def test_a_log_records_the_values_of_its_profile(tiny_model, log, tmp_path):
    settings = EnhanceSettings(model=str(tiny_model), steps=1, profile="planning")
    enhance_log(log, tmp_path, settings)
    recorded = DriveLog(tmp_path).provenance.config
    assert recorded["profile"]["shares"] == list(settings.profile.shares)
    assert recorded["profile"]["learned_from"]["config"]["maps"] == ["Harbour01", "Wharf01"]
    assert recorded["cutoff"] == "auto"


def test_a_task_keeps_what_its_classes_are_made_of(log, tmp_path):
    """Cars and road are flat: near them all is outline; the grain of the sky counts for the rest."""
    profile = learned_profile(log, "planning")
    write_profile(profile, tmp_path / "planning.yaml")
    assert EnhanceSettings(profile=str(tmp_path / "planning.yaml")).profile == profile
    assert learned_profile(log, "planning") == profile
    assert profile.learned_from.config == {"maps": ["Drawn"], "look": "flat"}
    assert (profile.learned_from.frames, profile.learned_from.picture) == (4, (128, 96))
    everywhere = learned_profile(log, "segmentation")
    cars = learned_profile(log, "detection")
    assert min(cars.shares) > max(everywhere.shares[-1], 0.5)


def test_weights_are_one_on_outlines_and_fade_away(log):
    labels = np.ones((80, 80), np.uint8)
    labels[30:50, 30:50] = 14
    weights = task_weights(labels, "detection")
    assert weights[29, 40] == weights[30, 40] == 1
    assert weights[23, 40] == pytest.approx(0.5)
    assert weights[29 - 12, 40] == weights[40, 0] == 0
    assert not task_weights(np.ones((80, 80), np.uint8), "detection").any()


def test_what_cannot_be_learned_is_refused(log, tmp_path):
    with pytest.raises(UsageError, match="no task 'parking'; there are planning, detection, segmentation"):
        learned_profile(log, "parking")
    with pytest.raises(UsageError, match=r"has no camera_semantics; capture with images.labels"):
        learned_profile(_log(tmp_path / "unlabelled", semantics=False), "planning")


def _clip(enhancer, settings, frames, seeds=None):
    return np.stack(list(enhance_clip(enhancer, frames, seeds or itertools.count(), None, settings)))


def test_frames_share_as_much_noise_as_they_are_told(enhancer):
    frames = [street(0, 96, 128)] * 3
    for correlation in (0.25, 0.9):
        first, second, third = (
            x.flatten() for x in correlated_draws(enhancer, iter(frames), iter([5, 6, 7]), correlation)
        )
        for one, other in ((first, second), (second, third)):
            assert (one * other).mean() == pytest.approx(correlation, abs=0.02)
            assert one.var() == pytest.approx(1, abs=0.03)


def test_no_correlation_is_each_seed_for_itself(enhancer, tiny_model):
    settings = EnhanceSettings(model=str(tiny_model), steps=1)
    frames = [street(index) for index in range(3)]
    own = enhancer.enhance(np.stack(frames), [0, 1, 2], steps=1)
    np.testing.assert_array_equal(_clip(enhancer, settings, frames), own)
    shape = enhancer.noise_shape(48, 64)
    drawn = list(correlated_draws(enhancer, iter(frames), iter([0, 1, 2]), 0.0))
    assert all((noise == white_noise(shape, seed)).all() for seed, noise in enumerate(drawn))


def test_shared_noise_calms_a_still_clip(enhancer, tiny_model):
    def flicker(correlation):
        settings = EnhanceSettings(model=str(tiny_model), steps=1, correlation=correlation)
        first, second = _clip(enhancer, settings, [street(1)] * 2).astype(int)
        return np.abs(first - second).mean()

    assert flicker(0) > flicker(0.5) > flicker(0.9) > flicker(1) == 0


def test_a_log_with_shared_noise_is_resumed_to_the_same_bytes(log, tiny_model, tmp_path):
    settings = EnhanceSettings(model=str(tiny_model), steps=1, correlation=0.5)
    for name in ("straight", "again"):
        enhance_log(log, tmp_path / name, settings)
    (tmp_path / "again/_complete/a.json").unlink()
    assert enhance_log(log, tmp_path / "again", settings).enhanced == 4
    assert _bytes(tmp_path / "straight") == _bytes(tmp_path / "again")
    assert DriveLog(tmp_path / "again").provenance.config["correlation"] == 0.5


def test_a_video_shares_noise_and_a_folder_does_not(tiny_model, pictures, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "in.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 12.0, (64, 48))
    for _ in range(3):
        writer.write(street(1))
    writer.release()
    settings = EnhanceSettings(model=str(tiny_model), steps=1, correlation=0.5)
    for name in ("one.mp4", "two.mp4"):
        assert enhance_path(tmp_path / "in.mp4", tmp_path / name, settings).enhanced == 3
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    with pytest.raises(UsageError, match="no clip"):
        enhance_path(pictures, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()
