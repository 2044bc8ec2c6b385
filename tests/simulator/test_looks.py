"""Textures, light and lens: exact filters, known directions, and families that are complete."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phipd_sim2real.simulator.districts import DISTRICTS
from phipd_sim2real.simulator.lens import develop, normal
from phipd_sim2real.simulator.look import linear
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.sky import Weather, light, sky_radiance
from phipd_sim2real.simulator.textures import (
    TILE,
    crack_tile,
    fade,
    fractal_tile,
    line_coverage,
    pulse_coverage,
    raised,
    sample_tile,
)


def box_mean(inside, centres: np.ndarray, footprint: float) -> np.ndarray:
    """Brute force: the share of 4001 points of each box that lie inside."""
    offsets = np.linspace(-footprint / 2, footprint / 2, 4001)
    return inside(centres[:, None] + offsets).mean(axis=1)


@pytest.mark.parametrize("footprint", [0.01, 0.1, 0.4, 2.0])
def test_line_coverage_is_the_boxs_share_of_the_line(footprint):
    x = np.linspace(-1.5, 1.5, 61)
    expected = box_mean(lambda p: np.abs(p) <= 0.075, x, footprint)
    np.testing.assert_allclose(line_coverage(x, 0.15, np.full(61, footprint)), expected, atol=2e-3)


@pytest.mark.parametrize("footprint", [0.05, 0.8, 7.5, 20.0])
def test_pulse_coverage_is_the_boxs_share_of_the_pulses(footprint):
    x = np.linspace(-20, 20, 83)
    expected = box_mean(lambda p: p % 7.5 <= 3.0, x, footprint)
    np.testing.assert_allclose(pulse_coverage(x, 7.5, 3.0, np.full(83, footprint)), expected, atol=2e-3)


def test_tiles_are_periodic_normalised_and_repeatable():
    tile = fractal_tile(3)
    assert tile.shape == (TILE, TILE)
    assert abs(tile.mean()) < 0.02
    assert tile.std() == pytest.approx(1.0, abs=0.05)
    across = np.abs(np.diff(tile, axis=1)).mean()
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() < 2 * across
    fractal_tile.cache_clear()
    np.testing.assert_array_equal(fractal_tile(3), tile)


def test_cracks_are_thin_and_bounded():
    cracks = crack_tile(51)
    assert cracks.min() >= 0
    assert cracks.max() <= 1
    assert 0.001 < (cracks > 0.5).mean() < 0.08


def test_sampling_repeats_after_one_tile():
    x, y = np.random.default_rng(0).uniform(0, 10, (2, 300)).astype(np.float32)
    tile = fractal_tile(5, 2.0)
    once = sample_tile(tile, x, y, 10.0)
    np.testing.assert_allclose(sample_tile(tile, x + 20, y - 30, 10.0), once, atol=0.15)
    assert once.shape == (300,)


def test_fine_texture_fades_before_it_aliases():
    weight = fade(np.array([0.0, 0.5, 1.5, 9.0]), 1.0)
    assert weight[0] == weight[1] == 1
    assert weight[2] == weight[3] == 0


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_a_look_is_complete(name):
    look = LOOKS[name]
    assert look.district in DISTRICTS
    assert all(((colour >= 0) & (colour <= 1)).all() for colour in look.colours.values())
    assert look.colours["walls"].shape[1] == 3
    assert look.colours["asphalt"].shape == (3,)


def test_linear_colours_follow_the_display_curve():
    np.testing.assert_allclose(linear("#000000", "#ffffff"), [[0, 0, 0], [1, 1, 1]])
    assert linear("#808080")[0, 0] == pytest.approx((128 / 255) ** 2.2, rel=1e-6)


def test_the_sun_stands_where_carla_puts_it():
    source = LOOKS["source"]
    east = light(source, Weather(sun_azimuth_deg=90.0, sun_altitude_deg=30.0))
    # CARLA's +y is the right-handed world's -y.
    np.testing.assert_allclose(east.sun_direction, [0, -np.cos(np.pi / 6), 0.5], atol=1e-6)
    low = light(LOOKS["target"], Weather(sun_altitude_deg=30.0))
    assert low.sun_direction[2] < 0.5


def test_clouds_take_the_sun_and_fog_the_distance():
    clear, dull = (light(LOOKS["source"], Weather(cloudiness=c)) for c in (0.0, 100.0))
    assert dull.sun.sum() < 0.4 * clear.sun.sum()
    assert dull.spread > 10 * clear.spread
    assert light(LOOKS["source"], Weather(fog_density=50.0)).haze > 10 * clear.haze


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_the_sky_is_finite_in_every_direction(name):
    direction = np.random.default_rng(1).normal(size=(2000, 3)).astype(np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    for cloudiness in (0.0, 50.0, 100.0):
        sky = sky_radiance(light(LOOKS[name], Weather(cloudiness=cloudiness)), direction.T)
        assert sky.dtype == np.float32
        assert np.isfinite(sky).all()
        assert (sky >= 0).all()


def test_a_plain_lens_leaves_a_flat_picture_flat():
    image = develop(np.full((3, 32, 48), 0.2, np.float32), LOOKS["source"].lens, 0)
    assert image.shape == (32, 48, 3)
    assert np.ptp(image) == 0


def test_vignette_darkens_corners_and_grain_has_its_strength():
    flat = np.full((3, 64, 96), 0.2, np.float32)
    lens = replace(LOOKS["target"].lens, grain=0.0)
    clean = develop(flat, lens, 0).astype(float)
    assert clean[0, 0].mean() < clean[32, 48].mean() - 15
    noise = develop(flat, LOOKS["target"].lens, 7).astype(float) - clean
    assert 0.4 * LOOKS["target"].lens.grain < noise.std() < 2 * LOOKS["target"].lens.grain


def test_grain_is_the_sum_of_four_even_draws():
    draws = normal(np.random.default_rng(3), (4, 60, 81))
    assert draws.shape == (4, 60, 81)
    assert draws.mean() == pytest.approx(0.0, abs=0.03)
    assert draws.std() == pytest.approx(1.0, abs=0.03)
    # Of a sum of four; 0.683 of the normal distribution.
    assert (np.abs(draws) < 1).mean() == pytest.approx(0.669, abs=0.012)
    np.testing.assert_allclose(np.corrcoef(draws.reshape(4, -1)), np.eye(4), atol=0.05)


@pytest.mark.parametrize("power", [1, 4, 5, 8, 90])
def test_whole_powers(power):
    x = np.linspace(0, 1, 33)
    np.testing.assert_allclose(raised(x, power), x**power, rtol=1e-12)


def test_exposure_follows_the_scene_but_not_fully():
    flat = np.full((3, 16, 16), 0.2, np.float32)
    dark, bright = (develop(flat * gain, LOOKS["target"].lens, 0).mean() for gain in (0.5, 2.0))
    assert dark < bright < 4 * dark
