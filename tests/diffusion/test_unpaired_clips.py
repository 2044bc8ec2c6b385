"""Clips as data: consecutive pictures of one camera, never across a gap, all frames under one window."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from conftest import street
from test_sources import _image_row

from phipd_sim2real.diffusion.fit_data import FitData
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.unpaired_clips import UnpairedClips
from phipd_sim2real.drivelog import Provenance, SegmentWriter, decode_jpeg, write_provenance
from phipd_sim2real.errors import UsageError

PERIOD = 100_000
TIMES = {"a": [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11], "b": [0, 1, 2, 3]}
"""In periods; segment a lacks the frame at 5."""


def level(camera: int, time: int) -> int:
    """Grey level that says which camera's picture of which time it is."""
    return 100 * (camera - 1) + 8 * time


def which(picture: np.ndarray) -> tuple[int, int]:
    """Camera and time (in periods) of a picture, also of segment b."""
    camera, rest = divmod(round(float(picture.mean())), 100)
    return camera + 1, round(rest / 8)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Two segments from two cameras, whose pictures tell camera and time by their level."""
    root = tmp_path_factory.mktemp("log")
    for segment, times in TIMES.items():
        with SegmentWriter(root, segment, "hash") as writer:
            for time in times:
                for camera in (1, 2):
                    image = np.full((40, 48, 3), level(camera, time), np.uint8)
                    writer.append("camera_image", _image_row(time * PERIOD, camera, image))
    write_provenance(root, Provenance(domain="drawn", config={}, config_hash="hash", seed=0))
    return root


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """A folder of two sub-folders of 12 and 6 pictures, numbered without leading zeros."""
    folder = tmp_path_factory.mktemp("drive")
    for name, count in (("one", 12), ("two", 6)):
        (folder / name).mkdir()
        for index in range(count):
            cv2.imwrite(str(folder / name / f"frame_{index}.png"), np.full((40, 48, 3), 8 * index, np.uint8))
    return folder


def drawn(clips: UnpairedClips, frames: int, count: int = 300) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [clips.crop(rng, 32, 32, (1.0, 1.0), frames)[0] for _ in range(count)]


def test_no_clip_crosses_a_gap_or_changes_camera(log):
    clips = UnpairedClips.load(log, 100, frames=5)
    assert [len(run) for run in clips.runs] == [5, 6, 5, 6, 4, 4]
    assert (len(clips.encoded), clips.domain) == (30, "drawn")
    seen = set()
    for crop in drawn(clips, 5):
        assert crop.shape == (5, 32, 32, 3)
        cameras, times = zip(*map(which, crop), strict=True)
        assert len(set(cameras)) == 1
        assert np.diff(times).tolist() == [1] * 4
        seen.add((cameras[0], times[0]))
    assert seen == {(camera, time) for camera in (1, 2) for time in (0, 6, 7)}  # segment b has four frames alone


def test_every_clip_is_as_likely_as_any_other(drive):
    starts = [which(crop[0])[1] for crop in drawn(UnpairedClips.load(drive, 100, frames=5), 5, 3000)]
    shares = np.bincount(starts) / 3000
    expected = np.array([2, 2, 1, 1, 1, 1, 1, 1]) / 10  # the first two begin clips of either folder
    assert shares == pytest.approx(expected, abs=0.03)


def test_files_follow_each_other_by_number(drive):
    clips = UnpairedClips.load(drive, 100, frames=12)
    assert [which(frame)[1] for frame in drawn(clips, 12, 1)[0]] == list(range(12))
    assert clips.groups == ("one",) * 12 + ("two",) * 6


def test_a_stride_leaves_pictures_out(drive):
    clips = UnpairedClips.load(drive, 100, frames=5, stride=2)
    for crop in drawn(clips, 5, 20):
        assert np.diff([which(frame)[1] for frame in crop]).tolist() == [2] * 4
    assert np.diff([which(frame)[1] for frame in clips.spread(1, 5).middle(0, 32, 32, 5)]).tolist() == [2] * 4


def test_all_frames_share_one_window_scale_and_side(tmp_path):
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"{index}.png"), street(0, 60, 90))
    for crop in drawn(UnpairedClips.load(tmp_path, 100, frames=5), 5, 10):
        assert all((frame == crop[0]).all() for frame in crop)
    rng = np.random.default_rng(0)
    zoomed = [UnpairedClips.load(tmp_path, 100, frames=5).crop(rng, 32, 32, (0.6, 2.0), 5)[0] for _ in range(10)]
    assert all((crop == crop[:1]).all() for crop in zoomed)
    assert any((a[0] != b[0]).any() for a, b in pairwise(zoomed))


def test_single_pictures_are_drawn_of_the_same_data(drive):
    crops = drawn(UnpairedClips.load(drive, 100, frames=5), 1, 200)
    assert {crop.shape for crop in crops} == {(32, 32, 3)}
    assert {which(crop)[1] for crop in crops} == set(range(12))


def test_another_picture_size_ends_a_run(tmp_path):
    for index in range(8):
        cv2.imwrite(str(tmp_path / f"{index}.png"), street(index, 48 if index < 3 else 40, 64))
    assert [len(run) for run in UnpairedClips.load(tmp_path, 100, frames=5).runs] == [3, 5]


def test_too_many_pictures_are_thinned_out_by_clips(drive):
    clips = UnpairedClips.load(drive, 11, frames=5)
    assert [len(run) for run in clips.runs] == [5, 5]
    assert len(clips.encoded) == 10


def test_evenly_spread_clips_share_no_picture(log):
    clips = UnpairedClips.load(log, 100, frames=5)
    assert len(clips.spread(10, 5)) == 4
    spread = clips.spread(2, 5)
    assert [len(run) for run in spread.runs] == [5, 5]
    assert len(clips.spread(100, 2)) == 2 + 3 + 2 + 3 + 2 + 2
    middle = spread.middle(1, 40, 48, 5)
    assert middle.shape == (5, 40, 48, 3)
    np.testing.assert_array_equal(middle[2], decode_jpeg(spread.encoded[7]))


def test_runs_are_held_out_whole(log):
    training, aside = UnpairedClips.load(log, 100, frames=4).split(0.4)
    assert {*training.groups, *aside.groups} == {"a", "b"}
    assert not set(training.groups) & set(aside.groups)
    assert sum(len(run) for run in (*training.runs, *aside.runs)) == 30
    for part in (training, aside):
        assert max(run.stop for run in part.runs) == len(part.encoded) == len(part.groups)


def test_where_runs_end_counts_for_the_hash(log):
    clips = UnpairedClips.load(log, 100, frames=4)
    torn = UnpairedClips(clips.encoded, clips.domain, clips.groups, None, (range(4), range(4, 30)))
    assert len({clips.sha256, torn.sha256, UnpairedClips.load(log, 100, frames=5).sha256}) == 2


def test_refuses_clips_longer_than_any_run(log, drive):
    with pytest.raises(UsageError, match=f"takes 9 consecutive pictures, and the longest run of {log.name} has 6"):
        UnpairedClips.load(log, 100, frames=9)
    with pytest.raises(UsageError, match=f"takes 17 consecutive pictures, and the longest run of {drive.name} has 12"):
        UnpairedClips.load(drive, 100, frames=9, stride=2)


@pytest.mark.parametrize(("lengths", "left"), [({"one": 12, "two": 18}, 12), ({"one": 6, "two": 18}, 6)])
def test_refuses_to_hold_the_only_long_run_out(tiny_fit, tmp_path, lengths, left):
    """The hash of its name sets folder `two` aside."""
    for name, count in lengths.items():
        (tmp_path / name).mkdir()
        for index in range(count):
            cv2.imwrite(str(tmp_path / name / f"{index}.png"), street(index, 32, 32))
    sizes = {"height": 48, "width": 48}
    crops, validation = ({**sizes, "frames": 9},), {**sizes, "frames": 5, "share": 0.5}
    asked = {"data": tmp_path, "initial": "any", "crops": crops, "validation": validation}
    settings = FitSettings(**tiny_fit.model_dump() | asked)
    if left >= 9:
        data = FitData.load(settings)
        assert [len(run) for run in data.training.runs] == [left]
        assert [len(run) for run in data.held_out.runs] == [5, 5, 5]
    else:
        with pytest.raises(UsageError, match="longest run of what is not held out has 6"):
            FitData.load(settings)
