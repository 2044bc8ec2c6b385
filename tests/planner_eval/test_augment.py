"""Augmentation: jitter moves picture and projection together, colours change and edges stay, draws repeat."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import TINY

from planner_eval.augment import augmented, colour_matrix, jittered, recoloured, tone_curve
from planner_eval.config import AugmentSettings, JitterSettings, PhotometricSettings
from planner_eval.tensors import SampleArrays, as_arrays

NOTHING = PhotometricSettings(probability=0, grey_probability=0, shuffle_probability=0, posterise_probability=0)


@pytest.fixture(scope="module")
def batch(dusk_samples) -> SampleArrays:
    return as_arrays(dusk_samples[:4], TINY)


def test_a_point_stays_on_its_spot_under_jitter(batch):
    """A bright spot drawn where a point of the ground projects is found where the new projection puts it."""
    point = np.array([8.0, 0.5, 0.0, 1.0])

    def pixel(projection: np.ndarray) -> np.ndarray:
        u, v, depth = projection @ point
        return np.array([u / depth * TINY.image_width - 0.5, v / depth * TINY.image_height - 0.5])

    rows, columns = np.mgrid[: TINY.image_height, : TINY.image_width]
    x, y = pixel(batch.projection[0, 0])
    spot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.0**2))
    drawn = replace(batch, images=np.broadcast_to(spot.astype(np.uint8), batch.images.shape).copy())
    moved = jittered(drawn, JitterSettings(shift=0.1, zoom=0.2, roll_degrees=10), np.random.default_rng(3))
    for image, projection in zip(moved.images[:, 0, 0].astype(float), moved.projection[:, 0], strict=True):
        found = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
        np.testing.assert_allclose(found, pixel(projection), atol=0.25)
    assert np.abs(moved.projection - batch.projection).max() > 0.05


def test_draws_come_from_the_generator_alone(batch):
    settings = AugmentSettings(photometric="strong")
    first, again, other = (augmented(batch, settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.projection, again.projection)
    assert (first.images != other.images).mean() > 0.5


def test_no_augmentation_changes_nothing(batch):
    same = augmented(batch, AugmentSettings(mirror=False, jitter=None), np.random.default_rng(0))
    assert same is batch
    np.testing.assert_array_equal(recoloured(batch.images[0], NOTHING, np.random.default_rng(0)), batch.images[0])


def test_strong_changes_the_look_and_not_the_geometry(batch):
    settings = AugmentSettings(mirror=False, jitter=None, photometric="strong")
    changed = augmented(batch, settings, np.random.default_rng(0))
    assert np.abs(changed.images.astype(float) - batch.images).mean() > 10
    np.testing.assert_array_equal(changed.projection, batch.projection)
    np.testing.assert_array_equal(changed.future, batch.future)


def test_grey_stays_grey_under_any_hue_and_saturation():
    settings = PhotometricSettings(probability=1)
    for seed in range(5):
        np.testing.assert_allclose(colour_matrix(settings, np.random.default_rng(seed)).sum(axis=1), 1.0, atol=1e-5)


def test_the_tone_curve_rises():
    for seed in range(5):
        assert (np.diff(tone_curve(PhotometricSettings(), np.random.default_rng(seed)).astype(int)) >= 0).all()
