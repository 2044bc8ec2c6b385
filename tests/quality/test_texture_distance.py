"""Texture features and kernel distance: known values, agreement with torchmetrics, monotone under blends."""

import cv2
import numpy as np
import pytest
from known_pictures import labelled_street, textured

from phipd_sim2real.quality import kernel_distance, structure_distance, texture_features, texture_kid
from phipd_sim2real.quality.set_distance import squared_mmd
from phipd_sim2real.quality.texture import FEATURES


def grainy(picture, deviation, seed=0):
    noise = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def looks():
    """Features of 24 smooth pictures, and the pictures."""
    pictures = [textured(seed, 145, 240) for seed in range(24)]
    return np.concatenate([texture_features(picture) for picture in pictures]), pictures


def features_of(pictures):
    return np.concatenate([texture_features(picture) for picture in pictures])


def test_kernel_distance_is_the_formula_of_torchmetrics():
    torch = pytest.importorskip("torch")
    poly_mmd = pytest.importorskip("torchmetrics.image.kid").poly_mmd
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (60, 7)), rng.normal(0.3, 1.2, (60, 7))
    expected = float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y)))
    assert squared_mmd(x, y) == pytest.approx(expected, rel=1e-9)
    whole = kernel_distance("kid", x, y, subsets=3, subset_size=1000)
    assert whole.measurement.value == pytest.approx(expected, rel=1e-9)  # subsets as large as the sets
    assert (whole.subset_size, whole.first, whole.second) == (60, 60, 60)
    assert whole.deviation == pytest.approx(0, abs=1e-12)


def test_equal_distributions_are_unbiased_around_zero():
    rng = np.random.default_rng(1)
    values = np.array([squared_mmd(*rng.normal(0, 1, (2, 40, 5))) for _ in range(400)])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert (values < 0).any()


def test_a_known_shift_has_a_known_distance():
    """Points 0 and c in one dimension: k(0,0) = 1, k(c,c) = (c² + 1)³, k(0,c) = 1."""
    zeros, twos = np.zeros((10, 1)), np.full((10, 1), 2.0)
    assert squared_mmd(zeros, twos) == pytest.approx(1 + 125 - 2)


def test_sets_too_small_have_no_value():
    distance = kernel_distance("kid", np.zeros((1, 3)), np.zeros((9, 3)))
    assert not distance.measurement.valid
    assert "fewer than two" in distance.measurement.reason


def test_features_are_finite_fixed_and_local(looks):
    features, pictures = looks
    assert features.shape == (24 * 3 * 5, FEATURES)
    assert features.dtype == np.float32
    assert np.isfinite(texture_features(np.zeros((50, 99, 3), np.uint8))).all()
    np.testing.assert_array_equal(texture_features(pictures[0]), features[:15])
    spoiled = pictures[0].copy()
    spoiled[:40, :40] = 0
    changed = (texture_features(spoiled) != features[:15]).any(axis=1)
    assert changed[0]
    assert not changed[2:5].any()
    with pytest.raises(ValueError, match="no patch of 48 px"):
        texture_features(np.zeros((47, 99, 3), np.uint8))


def test_a_flat_grey_patch_has_known_features():
    features = texture_features(np.full((48, 48, 3), 119, np.uint8))[0]
    np.testing.assert_allclose(features[:3], (0, 0, 0), atol=0.02)  # L = 50, a = b = 0
    np.testing.assert_allclose(features[3:6], np.log(0.3), atol=1e-2)
    energies = features[[13, 14, 15, 16]]
    np.testing.assert_allclose(energies, np.log(0.3), atol=1e-2)
    np.testing.assert_allclose(features[[17, 18]], 0, atol=1e-3)  # kurtosis and correlation of noise


def test_orientation_of_a_grating_is_found():
    x = np.arange(96)
    upright = np.repeat((np.sin(2 * np.pi * x / 4) * 60 + 128).astype(np.uint8)[None, :, None], 96, 0).repeat(3, 2)
    energies = texture_features(upright)[:, 13:17].mean(axis=0)
    turned = texture_features(np.ascontiguousarray(np.rot90(upright)))[:, 13:17].mean(axis=0)
    assert energies.argmax() == 0
    assert turned.argmax() == 2
    np.testing.assert_allclose(np.roll(energies, 2), turned, atol=0.02)


def test_one_look_in_two_halves_is_near_and_another_is_far(looks):
    features, pictures = looks
    halves = texture_kid(features[:180], features[180:], subset_size=100)
    grain = features_of([grainy(picture, 10, seed) for seed, picture in enumerate(pictures[:12])])
    assert abs(halves.measurement.value) < 0.1 * texture_kid(grain, features[180:]).measurement.value
    again = texture_kid(features[:180], features[180:], subset_size=100)
    assert again == halves
    assert texture_kid(features[:180], features[180:], subset_size=100, seed=1) != halves


@pytest.mark.parametrize("degrade", ["blur", "grain", "colour", "blend"])
def test_distance_grows_with_what_is_done_to_a_look(looks, degrade):
    features, pictures = looks
    steps = {
        "blur": lambda p, k: cv2.GaussianBlur(p, (0, 0), 0.4 + k),
        "grain": lambda p, k: grainy(p, 4 * k, k),
        "colour": lambda p, k: np.clip(p * (1 + 0.1 * k, 1, 1 - 0.1 * k), 0, 255).astype(np.uint8),
        "blend": lambda p, k: cv2.addWeighted(p, 1 - k / 4, np.full_like(p, 90), k / 4, 0),
    }
    values = [
        texture_kid(features_of([steps[degrade](p, k) for p in pictures[:12]]), features[180:]).measurement.value
        for k in range(4)
    ]
    assert values == sorted(values)
    assert values[-1] > 0.1


def test_structure_ignores_palette_and_sees_what_moved():
    picture, _ = labelled_street()
    assert structure_distance(picture, picture).value == 0
    assert structure_distance(picture, 255 - picture).value == pytest.approx(0, abs=1e-6)
    darker = (picture * 0.6).astype(np.uint8)
    assert structure_distance(picture, darker).value < 0.02
    values = [structure_distance(picture, np.roll(picture, by, axis=1)).value for by in (0, 2, 6, 14)]
    assert values == sorted(values)
    assert 0.02 < values[-1] < 1
    assert not structure_distance(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20, 3), np.uint8)).valid


def test_structure_is_symmetric_and_lost_in_noise():
    picture, _ = labelled_street()
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)
    there, back = structure_distance(picture, noise).value, structure_distance(noise, picture).value
    assert there == pytest.approx(back)
    assert there > 3 * structure_distance(picture, cv2.GaussianBlur(picture, (0, 0), 1)).value
