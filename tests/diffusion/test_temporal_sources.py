"""Temporal modes of logs and videos: the same bytes when resumed, less flicker, and what is refused."""

import itertools

import cv2
import numpy as np
import pytest
import torch
from conftest import street
from test_sources import _bytes, _image_row
from tiny_families import tiny_pipeline

from phipd_sim2real.diffusion import EnhanceSettings, enhance_log, enhance_path
from phipd_sim2real.diffusion.clip_noise import moving_draws
from phipd_sim2real.diffusion.clips import enhance_clip
from phipd_sim2real.diffusion.enhancer import Enhancer
from phipd_sim2real.drivelog import DriveLog, Provenance, SegmentWriter, write_provenance
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import Flow

STILL = Flow(np.zeros((48, 64, 2), np.float32), np.ones((48, 64), bool))


@pytest.fixture(scope="module")
def enhancer(tiny_model):
    return Enhancer.from_pretrained(tiny_model, precision="float32")


@pytest.fixture(scope="module")
def settings(tiny_model):
    return EnhanceSettings(model=str(tiny_model), steps=1, temporal="warp")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    root = tmp_path_factory.mktemp("log")
    for segment in ("a", "b"):
        with SegmentWriter(root, segment, "hash") as writer:
            for frame in range(3):
                for camera, (height, width) in {1: (48, 64), 2: (40, 56)}.items():
                    writer.append("camera_image", _image_row(frame, camera, street(1, height, width)))
    write_provenance(root, Provenance(domain="drawn", config={}, config_hash="hash", seed=0))
    return DriveLog(root)


def _clip(enhancer, settings, frames, motion=lambda *_: STILL, seeds=None):
    return np.stack(list(enhance_clip(enhancer, frames, seeds or itertools.count(), motion, settings)))


def test_a_still_clip_stands_still_when_its_noise_follows(enhancer, settings):
    frames = [street(1)] * 3
    warped = _clip(enhancer, settings, frames)
    own = _clip(enhancer, settings.model_copy(update={"temporal": "frame"}), frames)
    np.testing.assert_array_equal(warped[1], warped[0])
    assert np.abs(own[1].astype(int) - own[0]).mean() > 1


def test_noise_follows_the_motion_of_enlarged_frames(tiny_model):
    """Four pixels to the right are eight of the enlarged frame."""
    finer = Enhancer.from_pretrained(tiny_model, precision="float32", enlarge=2)
    right = np.zeros((48, 64, 2), np.float32)
    right[..., 0] = 4
    moving = Flow(right, np.ones((48, 64), bool))
    first, second = moving_draws(finer, iter([street(1)] * 2), iter([5, 6]), iter([moving]))
    cells = 8 // finer.family.factor
    inside = (slice(None), slice(4, -4), slice(16, -4))
    torch.testing.assert_close(second[inside], first.roll(cells, dims=-1)[inside])


def test_motion_is_asked_once_for_each_pair_in_order(enhancer, settings):
    asked = []

    def motion(number, first, second):
        asked.append((number, first[0, 0, 0], second[0, 0, 0]))
        return STILL

    frames = [np.full((48, 64, 3), value, np.uint8) for value in range(20)]
    assert len(_clip(enhancer, settings, frames, motion)) == 20
    assert asked == [(value, value, value + 1) for value in range(19)]


@pytest.mark.parametrize("temporal", ["frame", "warp", "3d"])
def test_seeds_decide_in_every_mode(enhancer, settings, temporal):
    settings = settings.model_copy(update={"temporal": temporal})
    frames = [street(index) for index in range(2)]
    first, again, other = (_clip(enhancer, settings, frames, seeds=seeds) for seeds in ([1, 2], [1, 2], [3, 4]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_one_frame_is_a_clip(enhancer, settings):
    assert _clip(enhancer, settings, [street(0)]).shape == (1, 48, 64, 3)


def test_odd_sizes_have_motion_on_the_whole_noise(enhancer, settings):
    flow = Flow(np.ones((41, 57, 2), np.float32), np.ones((41, 57), bool))
    frames = [street(index, 41, 57) for index in range(2)]
    assert _clip(enhancer, settings, frames, lambda *_: flow).shape == (2, 41, 57, 3)


def test_a_log_is_resumed_to_the_same_bytes_and_says_where_motion_came_from(log, settings, tmp_path):
    enhance_log(log, tmp_path / "straight", settings)
    enhance_log(log, tmp_path / "resumed", settings)
    (tmp_path / "resumed/_complete/b.json").unlink()
    assert enhance_log(log, tmp_path / "resumed", settings).enhanced == 6
    assert _bytes(tmp_path / "resumed") == _bytes(tmp_path / "straight")
    recorded = DriveLog(tmp_path / "straight").provenance.config
    assert recorded["motion"] == {"a": "estimated", "b": "estimated"}


def test_a_mode_is_part_of_what_a_log_was_made_with(log, settings, tmp_path):
    enhance_log(log, tmp_path, settings)
    with pytest.raises(UsageError, match="other settings"):
        enhance_log(log, tmp_path, settings.model_copy(update={"temporal": "frame"}))


@pytest.mark.parametrize("temporal", ["warp", "3d"])
def test_a_video_is_the_same_when_made_again(settings, tmp_path, temporal):
    source = tmp_path / "in.mp4"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*"mp4v"), 12.0, (64, 48))
    for _ in range(4):
        writer.write(street(1))
    writer.release()
    settings = settings.model_copy(update={"temporal": temporal})
    for name in ("one.mp4", "two.mp4"):
        assert enhance_path(source, tmp_path / name, settings).enhanced == 4
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_the_published_noise_has_no_3d_form(tiny_model, settings):
    released = Enhancer.from_pretrained(tiny_model, precision="float32", noise="released")
    with pytest.raises(UsageError, match="frame by frame"):
        _clip(released, settings.model_copy(update={"temporal": "3d"}), [street(0)])


@pytest.mark.parametrize("temporal", ["frame", "warp", "3d"])
def test_a_long_clip_is_read_a_batch_at_a_time(enhancer, settings, temporal):
    read = []

    def frames():
        for number in range(40):
            read.append(number)
            yield np.full((48, 64, 3), number, np.uint8)

    settings = settings.model_copy(update={"temporal": temporal})
    results = enhance_clip(enhancer, frames(), itertools.count(), lambda *_: STILL, settings)
    next(results)
    assert len(read) <= 17


@pytest.mark.parametrize("temporal", ["warp", "3d"])
def test_a_model_on_latents_takes_both_modes(settings, tmp_path, temporal):
    tiny_pipeline("sd15").save_pretrained(tmp_path)
    settings = settings.model_copy(update={"model": str(tmp_path), "temporal": temporal})
    latents = Enhancer.from_settings(settings)
    frames = [street(1)] * 2
    first, second = _clip(latents, settings, frames)
    assert first.shape == (48, 64, 3)
    assert np.array_equal(first, second) == (temporal == "warp")
