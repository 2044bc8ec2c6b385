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


def _flat_graphics(height, width):
    """Three flat tones, as clean rendering has them: most bins of its transform are empty or nearly so."""
    picture = torch.full((height, width), 0.7)
    picture[height // 2 :] = 0.2
    picture[:, width // 4 : width // 2] = -0.5
    return picture


@pytest.mark.parametrize(("image", "most", "kurtosis"), [("flat", 6, 3.1), ("graphics", 16, 25)])
def test_images_with_few_magnitudes_give_no_spikes(image, most, kurtosis):
    size = (64, 96)
    source = torch.full(size, 0.3) if image == "flat" else _flat_graphics(*size)
    noise = torch.randn(50, *size, generator=torch.Generator().manual_seed(6))
    result = structured_noise(source.expand_as(noise), noise)
    # Bins without phase stacked at the origin make a maximum of 70 and 37, a kurtosis of 3600 and 450.
    assert result.abs().max() < most
    assert result.pow(4).mean() < kurtosis
    assert result[:, 0, 0].abs().mean() < 1.5
    assert result.square().mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("cutoff", [None, Cutoff.isotropic(0.1), Cutoff.isotropic(0.3, free_below=0.05)])
def test_variance_is_one_at_every_frequency(cutoff):
    source = _flat_graphics(40, 60) + 0.01 * torch.randn(40, 60, generator=torch.Generator().manual_seed(7))
    noise = torch.randn(2000, 40, 60, generator=torch.Generator().manual_seed(8))
    spectrum = torch.fft.rfft2(structured_noise(source.expand_as(noise), noise, cutoff), norm="ortho")
    power = spectrum.abs().square().mean(0)
    assert power.mean() == pytest.approx(1, abs=0.01)
    assert 0.8 < power.min() < power.max() < 1.25


@pytest.mark.parametrize("shape", [(8, 8), (8, 9), (9, 8), (7, 11)])
def test_bins_that_are_their_own_mirror_image_take_the_sign_of_the_source(shape):
    source, noise = _pair(shape, seed=9, dtype=torch.float64)
    F_result, F_source, F_noise = (torch.fft.fft2(x) for x in (structured_noise(source, noise), source, noise))
    height, width = shape
    for v in {0, height // 2} if height % 2 == 0 else {0}:
        for u in {0, width // 2} if width % 2 == 0 else {0}:
            expected = F_noise[v, u].abs() * F_source[v, u].real.sign()
            assert F_result[v, u].real == pytest.approx(expected.item(), abs=1e-9)
            assert F_result[v, u].imag == pytest.approx(0, abs=1e-9)


def test_the_low_band_is_let_go():
    source, noise = _pair((200, 40, 40), seed=10)
    source = source + 5  # light
    result = structured_noise(source, noise, Cutoff.isotropic(0.5, softness=0, free_below=0.1))
    F_result, F_source, F_noise = (torch.fft.rfft2(x) for x in (result, source, noise))
    assert torch.equal(F_result[:, 0, 0].real > 0, F_noise[:, 0, 0].real > 0)
    lowest = torch.cos(F_result[:, 0, 1].angle() - F_noise[:, 0, 1].angle())
    assert lowest.mean() > 0.99
    rest = torch.cos(F_result[:, 8, 8].angle() - F_source[:, 8, 8].angle())
    assert rest.mean() > 0.99


def test_images_do_not_depend_on_the_others_of_their_batch():
    source, noise = _pair((5, 2, 300, 220), seed=11)
    together = structured_noise(source, noise, Cutoff.isotropic(0.2))
    alone = [structured_noise(source[i], noise[i], Cutoff.isotropic(0.2)) for i in range(5)]
    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=1e-6)


def test_leaves_its_arguments_as_they_are():
    source, noise = _pair((3, 16, 16), seed=12)
    before = source.clone(), noise.clone()
    for cutoff in (None, Cutoff.isotropic(0.2), Cutoff.isotropic(0)):
        structured_noise(source, noise, cutoff).zero_()
    assert torch.equal(source, before[0])
    assert torch.equal(noise, before[1])


def test_masks_made_for_inference_serve_training():
    source, noise = _pair((16, 16), seed=13)
    with torch.inference_mode():
        expected = structured_noise(source, noise, Cutoff.isotropic(0.123))
    weight = torch.ones((), requires_grad=True)
    (weight * structured_noise(source, noise, Cutoff.isotropic(0.123))).sum().backward()
    assert weight.grad == pytest.approx(expected.sum().item(), abs=1e-3)


@pytest.mark.parametrize("shape", [(3, 24, 30), (2, 400, 330), (1, 31, 45)])  # planes together, one by one, and alone
@pytest.mark.parametrize("cutoff", [Cutoff.isotropic(0.15), Cutoff(0.1, 0.3, 0.4), Cutoff.isotropic(0.3, 0.2, 0.05)])
def test_mixes_as_equation_10_does_on_the_circle(shape, cutoff):
    source, noise = _pair(shape, seed=14, dtype=torch.float64)
    F_source, F_noise = (torch.fft.rfft2(x) for x in (source, noise))
    M = cutoff.mask(*shape[1:]).double()
    mix = M * F_source / F_source.abs() + (1 - M) * F_noise / F_noise.abs()
    expected = torch.fft.irfft2(F_noise.abs() * mix / mix.abs(), s=shape[1:])
    result = structured_noise(source, noise, cutoff)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-9)


def test_opposite_phases_mix_to_those_of_the_noise():
    class Half:
        def mask(self, height, width, device=None):
            return torch.full((height, width // 2 + 1), 0.5, device=device)

    half = (4 * _pair((8, 18), seed=15)[0]).round()
    noise = torch.cat([half, -half])  # whole numbers without a mean: -noise is transformed without rounding apart
    torch.testing.assert_close(structured_noise(-noise, noise, Half()), noise, rtol=0, atol=1e-5)
