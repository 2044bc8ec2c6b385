"""Identities of structured noise, at even and odd sizes: they have different self-conjugate bins."""

import pytest
import torch

from phipd_sim2real import Cutoff, structured_noise

SHAPES = [(8, 8), (7, 10), (11, 13), (2, 3, 16, 9), (1, 1, 5, 24, 40), (3, 1, 32)]


def _pair(shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("abar", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_diffusion_acts_on_magnitudes_alone(shape, abar, dtype, tolerance):
    x0, white = _pair(shape, dtype=dtype)
    a, b = abar**0.5, (1 - abar) ** 0.5
    F_x0, F_white = torch.fft.fft2(x0.double()), torch.fft.fft2(white.double())
    mixed = torch.fft.ifft2(torch.polar(a * F_x0.abs() + b * F_white.abs(), F_x0.angle()))
    result = a * x0 + b * structured_noise(x0, white)
    torch.testing.assert_close(mixed.real, result.double(), rtol=0, atol=tolerance)
    assert mixed.imag.abs().max() < 1e-12


@pytest.mark.parametrize("image", ["flat", "two-tone", "zero", "bright"])
@pytest.mark.parametrize("shape", [(16, 16), (15, 22)])
def test_bins_without_magnitude_keep_the_noise(image, shape):
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(shape, generator=generator)
    source = torch.zeros(shape)
    if image == "two-tone":
        source[:, : shape[1] // 2] = 1
    elif image != "zero":
        source += 0.1 if image == "flat" else 255.0
    result = structured_noise(source, noise)
    F_result, F_noise, F_source = (torch.fft.fft2(x.double()) for x in (result, noise, source))
    torch.testing.assert_close(F_result.abs(), F_noise.abs(), rtol=1e-4, atol=1e-4)
    empty = F_source.abs() < 1e-9
    torch.testing.assert_close(F_result[empty], F_noise[empty], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cutoff", [None, Cutoff.isotropic(0.2), Cutoff(0.1, 0.3, 0.0)])
def test_power_of_the_noise_is_kept_exactly(cutoff):
    source, noise = _pair((4, 3, 31, 48), seed=2)
    result = structured_noise(source, noise, cutoff)
    torch.testing.assert_close(result.square().sum((-2, -1)), noise.square().sum((-2, -1)), rtol=1e-5, atol=0)
    assert result.var() == pytest.approx(1, abs=0.05)


def test_mean_over_draws_is_the_whitened_source():
    source = _pair((24, 24), dtype=torch.float64)[0]
    draws = torch.randn(4000, 24, 24, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    mean = structured_noise(source.expand_as(draws), draws).mean(0)
    F_source = torch.fft.fft2(source)
    whitened = torch.fft.ifft2(24 * F_source / F_source.abs()).real
    inner = (mean * whitened).sum() / whitened.square().sum()
    assert inner == pytest.approx(torch.pi**0.5 / 2, abs=0.01)


def test_no_cutoff_is_gaussian_noise_and_a_wide_one_keeps_all():
    source, noise = _pair((3, 20, 30), seed=4)
    torch.testing.assert_close(structured_noise(source, noise, Cutoff.isotropic(0)), noise, rtol=0, atol=1e-5)
    everything = structured_noise(source, noise, Cutoff.isotropic(0.8))
    torch.testing.assert_close(everything, structured_noise(source, noise), rtol=0, atol=1e-5)


def test_phase_is_kept_inside_the_cutoff_and_free_of_bias_in_the_transition():
    source, noise = _pair((64, 64, 64), seed=5)
    cutoff = Cutoff.isotropic(0.2, softness=0.3)
    F_result, F_source = (torch.fft.rfft2(x) for x in (structured_noise(source, noise, cutoff), source))
    M = cutoff.mask(64, 64)
    difference = (F_result / F_result.abs()) * (F_source / F_source.abs()).conj()
    inside = difference[:, M == 1]
    torch.testing.assert_close(inside, torch.ones_like(inside), rtol=0, atol=1e-2)
    ring = (M > 0.3) & (M < 0.7)
    phase = (F_result / F_result.abs())[:, ring]
    assert phase.mean().abs() < 0.02  # a linear mix of wrapped angles gives 0.41 here


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    source, noise = (x.to(dtype) for x in _pair((2, 3, 17, 32)))
    result = structured_noise(source, noise)
    assert result.dtype == dtype
    torch.testing.assert_close(result, structured_noise(source.float(), noise.float()).to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("source", "noise"),
    [
        (torch.rand(4, 4), torch.rand(4, 5)),
        (torch.rand(4), torch.rand(4)),
        (torch.zeros(4, 4, dtype=torch.uint8), torch.rand(4, 4)),
    ],
)
def test_refuses_what_has_no_spatial_phase(source, noise):
    with pytest.raises(ValueError, match="must"):
        structured_noise(source, noise)
