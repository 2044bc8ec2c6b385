"""Colour transfer: what it matches, and that nothing but pictures changes."""

import cv2
import numpy as np
import pytest
from street_logs import labelled_log

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError
from phipd_sim2real.recolour import RecolourSettings, match_histograms, recolour_log, reinhard


def lab(picture):
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


@pytest.fixture
def pictures():
    """A bluish and a brownish picture whose Lab colours stay well inside of the gamut."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 12, (2, 64, 96, 3))
    return (base + np.array([[[[100, 120, 150]]], [[[140, 120, 100]]]])).round().clip(0, 255).astype(np.uint8)


def test_reinhard_takes_mean_and_spread(pictures):
    image, reference = pictures
    result = lab(reinhard(image, reference))
    assert np.allclose(result.mean((0, 1)), lab(reference).mean((0, 1)), atol=0.2)
    assert np.allclose(result.std((0, 1)), lab(reference).std((0, 1)), rtol=0.03)


def test_histograms_take_every_quantile(pictures):
    reference = pictures[1]
    shares = np.linspace(0.02, 0.98, 25)
    result, wanted = (np.quantile(lab(picture)[..., 0], shares) for picture in (match_histograms(*pictures), reference))
    assert np.allclose(result, wanted, atol=0.7)


def test_histograms_keep_the_order_of_lightness(pictures):
    before, after = (lab(picture)[..., 0].ravel() for picture in (pictures[0], match_histograms(*pictures)))
    assert np.diff(after[before.argsort()]).min() > -2  # rounding to eight bits


@pytest.mark.parametrize("method", [reinhard, match_histograms])
def test_a_picture_recoloured_by_itself_stays(method, pictures):
    difference = np.abs(method(pictures[0], pictures[0]).astype(int) - pictures[0])
    assert difference.max() <= 2
    assert difference.mean() < 0.5


@pytest.fixture
def drive_log(tmp_path):
    return labelled_log(tmp_path / "drives", segments=2, frames=2)


@pytest.mark.parametrize("method", ["reinhard", "histogram"])
def test_a_log_keeps_every_label_and_is_resumed_to_the_same_bytes(tmp_path, drive_log, method, pictures):
    folder = tmp_path / "target"
    folder.mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    settings = RecolourSettings(method=method, reference=folder)
    result = recolour_log(drive_log, tmp_path / "out", settings)
    hashes = {name: result.completion(name).sha256 for name in result.segments}
    for segment in drive_log.segments:
        source = drive_log.completion(segment).sha256
        assert {name for name in source if source[name] != hashes[segment][name]} == {"camera_image"}
    (result.root / "_complete" / f"{result.segments[0]}.json").unlink()
    again = recolour_log(drive_log, tmp_path / "out", settings)
    assert {name: again.completion(name).sha256 for name in again.segments} == hashes
    assert DriveLog(tmp_path / "out").provenance.domain == "recoloured"


def test_other_settings_are_refused(tmp_path, drive_log, pictures):
    cv2.imwrite(str(tmp_path / "0.png"), pictures[0])
    recolour_log(drive_log, tmp_path / "out", RecolourSettings(method="reinhard", reference=tmp_path, seed=0))
    with pytest.raises(UsageError, match="other settings"):
        recolour_log(drive_log, tmp_path / "out", RecolourSettings(method="histogram", reference=tmp_path, seed=0))
