"""Measures at pictures whose values are known."""

import cv2
import numpy as np
import pytest

from phipd_sim2real.quality import (
    LabStatistics,
    Measurement,
    blur_ssim,
    canny_f1,
    colour_change,
    lab_frechet,
    lane_edge_recall,
    phase_coherence,
    summarise,
)


@pytest.fixture
def street():
    """A grey road with two painted lines under a blue sky, lightly textured; odd sizes."""
    picture = np.full((145, 211, 3), (90, 90, 95), np.uint8)
    picture[:60] = (120, 160, 220)
    cv2.line(picture, (60, 144), (100, 60), (240, 240, 240), 4)
    cv2.line(picture, (160, 144), (110, 60), (240, 240, 240), 4)
    noise = np.random.default_rng(0).integers(-8, 9, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def semantics(street):
    labels = np.ones(street.shape[:2], np.uint8)
    labels[(street > 200).all(axis=2)] = 24
    return labels


def shifted(picture, pixels):
    return np.roll(picture, pixels, axis=1)


def test_a_picture_agrees_with_itself(street, semantics):
    for measured in (
        phase_coherence(street, street, 1 / 8),
        blur_ssim(street, street),
        canny_f1(street, street),
        lane_edge_recall(street, street, semantics),
    ):
        assert measured.valid
        assert measured.value == pytest.approx(1.0)
        assert measured.better == "higher"
    assert colour_change(street, street).value == 0


def test_phase_ignores_contrast_and_sees_a_sign_flip_and_a_shift(street):
    dimmed = (street // 2 + 40).astype(np.uint8)
    assert phase_coherence(street, dimmed, 1 / 8).value > 0.999
    assert phase_coherence(street, 255 - street, 1 / 8).value == pytest.approx(-1, abs=1e-9)
    near, far = (phase_coherence(street, shifted(street, by), 1 / 8).value for by in (1, 9))
    assert near > 0.9 > far


def test_phase_of_a_known_shift():
    """A cosine of 1/32 cycles/px moved by 4 px turns by 45°."""
    wave = np.cos(2 * np.pi * np.arange(128) / 32) * 100 + 128
    picture = np.broadcast_to(wave[None, :, None], (64, 128, 3))
    measured = phase_coherence(picture, np.roll(picture, 4, axis=1), 1 / 16)
    assert measured.value == pytest.approx(np.cos(np.pi / 4), abs=1e-6)


def test_noise_has_no_phase_in_common(street):
    rng = np.random.default_rng(1)
    noises = [rng.integers(0, 256, street.shape, dtype=np.uint8) for _ in range(20)]
    assert abs(np.mean([phase_coherence(street, noise, 1 / 8).value for noise in noises])) < 0.15
    assert blur_ssim(street, noises[0]).value < 0.8


def test_a_flat_source_has_no_value():
    flat = np.zeros((32, 32, 3), np.uint8)
    for measured in (phase_coherence(flat, flat, 1 / 8), canny_f1(flat, flat)):
        assert not measured.valid
        assert np.isnan(measured.value)
        assert measured.reason


def test_blurred_similarity_is_the_formula_for_flat_pictures():
    """Without contrast only the term of brightness is left: (2 a b + C1) / (a² + b² + C1) with C1 = (0.01 · 255)²."""
    dark, bright = (np.full((32, 40, 3), value, np.uint8) for value in (60, 90))
    expected = (2 * 60 * 90 + 2.55**2) / (60**2 + 90**2 + 2.55**2)
    assert blur_ssim(dark, bright).value == pytest.approx(expected, rel=1e-6)
    assert blur_ssim(dark, dark).value == pytest.approx(1)


def test_a_blur_of_both_forgives_fine_texture(street):
    textured = np.clip(street + np.random.default_rng(0).normal(0, 12, street.shape), 0, 255).astype(np.uint8)
    assert blur_ssim(street, textured).value > 0.9
    assert blur_ssim(street, textured, sigma_px=0.1).value < blur_ssim(street, textured).value - 0.1


def test_edges_are_found_within_their_tolerance(street):
    assert canny_f1(street, shifted(street, 1)).value > 0.95
    assert canny_f1(street, shifted(street, 6)).value < 0.75  # the horizon stays
    assert canny_f1(street, np.zeros_like(street)).value == 0


def test_erased_paint_is_lost_and_the_rest_does_not_count(street, semantics):
    erased = street.copy()
    erased[semantics == 24] = (90, 90, 95)
    assert lane_edge_recall(street, erased, semantics).value < 0.15
    no_sky = street.copy()
    no_sky[:58] = 0
    assert lane_edge_recall(street, no_sky, semantics).value > 0.95
    assert lane_edge_recall(street, shifted(street, 2), semantics).value > 0.9


def test_paint_needs_labels_and_enough_edges(street, semantics):
    assert lane_edge_recall(street, street, None).reason == "no semantic labels"
    assert not lane_edge_recall(street, street, np.ones_like(semantics)).valid


def test_lab_frechet_of_known_sets():
    rng = np.random.default_rng(0)
    grey = LabStatistics()
    grey.add(np.full((8, 8, 3), 119, np.uint8))
    white = LabStatistics()
    white.add(np.full((8, 8, 3), 255, np.uint8))
    distance = float(white.mean[0] - grey.mean[0])
    assert lab_frechet(grey, white).value == pytest.approx(distance**2, rel=1e-4)  # two points: only means differ
    noise, halves = LabStatistics(), LabStatistics()
    picture = rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    noise.add(picture)
    halves.add(picture[:20])
    halves.add(picture[20:])
    assert lab_frechet(noise, halves).value == pytest.approx(0, abs=1e-6)
    assert not lab_frechet(noise, LabStatistics()).valid


def test_a_summary_counts_what_has_no_value():
    items = [Measurement("m", value, True, "px", "lower") for value in (1.0, 2.0, 3.0)]
    summary = summarise([*items, Measurement("m", float("nan"), False, "px", "lower", "too dark")])
    assert (summary.mean, summary.valid, summary.total) == (2.0, 3, 4)
    assert summary.half_width == pytest.approx(4.302653 / np.sqrt(3))  # t(0.975, 2) s / √n with s = 1
    assert summary.reasons == {"too dark": 1}
    assert np.isnan(summarise(items[:1]).half_width)
