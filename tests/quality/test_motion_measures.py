"""Measures of motion at motions that are known."""

import cv2
import numpy as np
import pytest
from known_pictures import textured

from phipd_sim2real.quality import (
    flow_consistency,
    flow_consistency_seen,
    flow_epe,
    gt_flow_warp_error,
    motion_seen,
    warp_excess,
)


def moved(picture, pixels):
    """What was at x is at x + pixels."""
    return np.roll(picture, pixels, axis=1)


def flow_of(picture, x, y=0.0):
    flow = np.zeros((*picture.shape[:2], 2), np.float32)
    flow[...] = (x, y)
    return flow


def everywhere(picture):
    return np.ones(picture.shape[:2], bool)


def test_true_motion_leaves_no_warping_error():
    picture = textured()
    measured = gt_flow_warp_error(picture, moved(picture, 5), flow_of(picture, 5), everywhere(picture))
    assert measured.value == pytest.approx(0, abs=1e-7)
    assert (measured.unit, measured.better) == ("linear RGB", "lower")
    still = gt_flow_warp_error(picture, moved(picture, 5), flow_of(picture, 0), everywhere(picture))
    assert still.value > 0.05


def test_warping_error_is_in_linear_light():
    """sRGB 255 is 1 and sRGB 188 is 0.5029 of full light."""
    bright, half = (np.full((40, 50, 3), value, np.uint8) for value in (255, 188))
    measured = gt_flow_warp_error(bright, half, flow_of(bright, 0), everywhere(bright))
    assert measured.value == pytest.approx(1 - 0.5029, abs=1e-4)


def test_a_flow_to_half_a_pixel_is_interpolated():
    ramp = np.repeat(np.arange(0, 200, 4, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    linear = np.where(ramp / 255 <= 0.04045, ramp / 255 / 12.92, ((ramp / 255 + 0.055) / 1.055) ** 2.4)
    expected = np.abs(np.diff(linear[..., 0], axis=1)).mean() / 2
    measured = gt_flow_warp_error(ramp, ramp, flow_of(ramp, 0.5), everywhere(ramp))
    assert measured.value == pytest.approx(expected, rel=1e-4)


def test_occluded_pixels_do_not_count():
    picture = textured()
    spoiled, valid = picture.copy(), everywhere(picture)
    spoiled[40:80] = 0
    valid[40:80] = False
    assert gt_flow_warp_error(picture, spoiled, flow_of(picture, 0), valid).value == 0
    nothing = gt_flow_warp_error(picture, picture, flow_of(picture, 1000), everywhere(picture))
    assert not nothing.valid
    assert "seen at both times" in nothing.reason


def test_the_excess_is_what_enhancement_added():
    picture, other = textured(0), textured(1)
    flow, valid = flow_of(picture, 0), everywhere(picture)
    source, output = gt_flow_warp_error(picture, picture, flow, valid), gt_flow_warp_error(picture, other, flow, valid)
    assert warp_excess(output, source).value == output.value
    assert warp_excess(source, output).value == -output.value
    absent = gt_flow_warp_error(picture, picture, flow, ~valid)
    assert not warp_excess(output, absent).valid
    assert warp_excess(output, absent).reason == absent.reason


@pytest.mark.parametrize("pixels", [1, 3, 7])
def test_re_rendering_error_is_the_length_of_a_shift(pixels):
    picture = textured()
    assert flow_epe(picture, moved(picture, pixels)).value == pytest.approx(pixels, rel=0.1)


def test_re_rendering_error_ignores_light_and_palette():
    picture = textured()
    assert flow_epe(picture, picture).value == 0
    graded = ((picture / 255) ** 0.6 * (200, 230, 160)).astype(np.uint8)
    assert flow_epe(picture, graded).value < 0.1


def test_re_rendering_error_counts_where_the_source_has_texture():
    source = textured()
    source[:, :100] = 128
    invented = source.copy()
    invented[:, :90] = textured(3)[:, :90]
    assert flow_epe(source, invented).value < 0.3
    flat = flow_epe(np.full_like(source, 90), source)
    assert (flat.valid, flat.reason) == (False, "the source has no texture")


def test_textures_that_stick_are_consistent():
    picture = textured()
    flow, valid = flow_of(picture, 4), everywhere(picture)
    assert flow_consistency(picture, moved(picture, 4), flow, valid).value < 0.3
    assert flow_consistency(picture, picture, flow, valid).value == pytest.approx(4, rel=0.02)
    assert not flow_consistency(cv2.blur(picture, (99, 99)), picture, flow, valid).valid


def test_motion_counts_where_the_estimator_sees_it_in_the_source():
    """Left, the stated motion is the true one; right, it is off by 3 px, which the source itself contradicts."""
    picture = textured()
    flow, valid = flow_of(picture, 4), everywhere(picture)
    half = picture.shape[1] // 2
    flow[:, half:, 0] = 7
    seen = motion_seen(picture, moved(picture, 4), flow, valid)
    assert seen[:, 12 : half - 12].mean() > 0.95
    assert seen[:, half + 12 :].mean() < 0.02
    assert flow_consistency_seen(picture, moved(picture, 4), flow, seen).value < 0.3
    slid = flow_consistency_seen(picture, moved(picture, 6), flow, seen)
    assert slid.value == pytest.approx(2, rel=0.05)
    assert not flow_consistency_seen(picture, picture, flow, np.zeros_like(seen)).valid
