"""Noise that moves: exactly white at every frame, correlated along the motion, structured as its source."""

import math

import pytest
import torch

from phipd_sim2real.phase import Cutoff
from phipd_sim2real.phase.temporal import coherent_structured_noise, structured_noise_3d, warped_noise


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _white(*shape, seed=0):
    return torch.randn(shape, generator=_rng(seed))


def _constant(height, width, x, y):
    return torch.tensor([x, y], dtype=torch.float32).expand(height, width, 2), torch.ones(height, width).bool()


def _zoom(height, width, factor):
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    away = torch.stack([columns - width / 2, rows - height / 2], dim=-1)
    return away * (factor - 1), torch.ones(height, width).bool()


def _correlation(first, second):
    return float((first * second).mean() / (first.square().mean() * second.square().mean()).sqrt())


def test_whole_steps_carry_every_value():
    motion = _constant(12, 16, 3.0, -2.0)
    first, second = warped_noise([_white(2, 12, 16), _white(2, 12, 16, seed=1)], [motion])
    torch.testing.assert_close(second[:, :-2, 3:], first[:, 2:, :-3], rtol=0, atol=0)


def test_small_steps_add_up_instead_of_being_rounded_away():
    draws = [_white(1, 8, 40, seed=seed) for seed in range(11)]
    frames = list(warped_noise(draws, [_constant(8, 40, 0.3, 0.0)] * 10))
    torch.testing.assert_close(frames[10][..., 6:], frames[0][..., 3:-3], rtol=0, atol=0)  # beyond where some enter


@pytest.mark.parametrize("factor", [1.13, 0.9])
def test_warped_noise_is_white_and_normal_under_expansion_and_contraction(factor):
    draws = [_white(16, 64, 80, seed=seed) for seed in range(4)]
    noise = list(warped_noise(draws, [_zoom(64, 80, factor)] * 3))[-1]
    count = noise.numel()
    assert abs(noise.mean()) < 4 / count**0.5
    assert noise.var() == pytest.approx(1, abs=4 * (2 / count) ** 0.5)
    assert (noise**4).mean() == pytest.approx(3, abs=4 * (96 / count) ** 0.5)
    for shift in ((0, 1), (1, 0), (1, 1), (2, 3)):
        assert abs((noise * noise.roll(shift, dims=(-2, -1))).mean()) < 4 / count**0.5
    assert abs((noise[:8] * noise[8:]).mean()) < 4 / (count / 2) ** 0.5


def test_no_value_shows_twice_in_a_frame():
    noise = list(warped_noise([_white(1, 32, 32, seed=s) for s in range(3)], [_zoom(32, 32, 1.3)] * 2))[-1]
    assert noise.unique().numel() == noise.numel()


def test_expansion_keeps_what_there_is_to_keep():
    draws = [_white(4, 64, 64, seed=seed) for seed in range(2)]
    first, second = warped_noise(draws, [_zoom(64, 64, 1.1)])
    kept = torch.isin(second[0], first[0]).float().mean()
    assert kept == pytest.approx(1 / 1.1**2, abs=0.02)


def test_what_is_not_valid_is_drawn_anew():
    forward, valid = _constant(16, 16, 0.0, 0.0)
    valid = valid.clone()
    valid[4:8, 4:8] = False
    draws = [_white(1, 16, 16, seed=seed) for seed in range(2)]
    second = list(warped_noise(draws, [(forward, valid)]))[-1]
    torch.testing.assert_close(second, torch.where(valid, draws[0], draws[1]), rtol=0, atol=0)


def _scene(height, width, seed=3):
    """A picture-like field: power falls with frequency."""
    v, u = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    spectrum = torch.fft.rfft2(_white(1, height, width, seed=seed)) / (torch.hypot(u, v) + 0.01) ** 1.2
    field = torch.fft.irfft2(spectrum, s=(height, width))
    return field / field.std()


@pytest.mark.parametrize("size", [(48, 64), (45, 63)])
def test_coherent_noise_has_unit_variance_and_the_shares_of_the_method(size):
    source, cutoff = _scene(*size).expand(400, -1, -1), Cutoff.isotropic(0.2)
    noise = coherent_structured_noise(source, _white(400, *size), cutoff)
    assert noise.var() == pytest.approx(1, abs=0.02)
    low = torch.fft.irfft2(torch.fft.rfft2(noise) * (cutoff.mask(*size) > 0.99), s=size)
    determined = low.mean(0).square().mean() / low.square().mean()
    assert determined == pytest.approx(math.pi / 4, abs=0.03)


def test_coherent_noise_keeps_the_phase_where_the_source_has_power():
    source = _scene(64, 64)
    noise = coherent_structured_noise(source, _white(1, 64, 64), Cutoff.isotropic(0.2), determined=1.0)
    F_I, F_eps = torch.fft.rfft2(source), torch.fft.rfft2(noise)
    inside = Cutoff.isotropic(0.2, softness=0).mask(64, 64) > 0
    inside[0, 0] = False
    cosine = (F_I * F_eps.conj()).real / (F_I.abs() * F_eps.abs())
    assert cosine[0][inside].min() > 0.999


def test_coherent_noise_without_cutoff_or_structure_is_the_white_noise():
    white = _white(1, 32, 40)
    for source, cutoff in ((_scene(32, 40), Cutoff.isotropic(0)), (torch.full((1, 32, 40), 0.7), None)):
        torch.testing.assert_close(coherent_structured_noise(source, white, cutoff), white, rtol=0, atol=1e-5)


def test_coherent_noise_ignores_scale():
    source, white, cutoff = _scene(32, 40), _white(1, 32, 40), Cutoff.isotropic(0.3)
    scaled = coherent_structured_noise(1e-3 * source + 2, white, cutoff)
    torch.testing.assert_close(scaled, coherent_structured_noise(source, white, cutoff), rtol=0, atol=2e-3)


def test_coherent_noise_follows_local_motion_better_than_equal_magnitudes():
    scene = _scene(64, 192)
    left, right = scene[..., :96], scene[..., 96:]
    first, second = scene, torch.cat([left.roll(4, -1), right.roll(-4, -1)], dim=-1)  # two halves part
    cutoff, nothing = Cutoff.isotropic(0.2), torch.zeros(1, 64, 192)

    def moves(structured):
        before, after = structured(first), structured(second)
        return _correlation(before[..., 20:76], after[..., 24:80])

    def equal(image):
        unit = torch.polar(cutoff.mask(64, 192), torch.fft.rfft2(image).angle())
        return torch.fft.irfft2(unit, s=(64, 192))

    assert moves(lambda image: coherent_structured_noise(image, nothing, cutoff)) > moves(equal) + 0.1


@pytest.mark.parametrize("shape", [(4, 8, 10), (5, 9, 7)])
def test_3d_noise_takes_the_phase_over_space_and_time(shape):
    clip, white = _white(*shape, seed=1).double(), _white(*shape).double()
    expected = torch.polar(torch.fft.fftn(white).abs(), torch.fft.fftn(clip).angle())
    result = structured_noise_3d(clip, white)
    torch.testing.assert_close(torch.fft.fftn(result), expected, rtol=0, atol=1e-9)
    assert result.square().mean() == pytest.approx(float(white.square().mean()))


def test_3d_noise_keeps_the_noise_outside_of_its_cutoffs():
    clip, white = _white(6, 2, 16, 16, seed=1), _white(6, 2, 16, 16)
    torch.testing.assert_close(structured_noise_3d(clip, white, Cutoff.isotropic(0)), white, rtol=0, atol=1e-5)
    slow = torch.fft.fft(structured_noise_3d(clip, white, None, cycles_per_frame=0.2), dim=0)
    own = torch.fft.fft(white, dim=0)
    torch.testing.assert_close(slow[2:5], own[2:5], rtol=0, atol=1e-4)
    assert (slow[:2] - own[:2]).abs().max() > 0.5


def test_3d_noise_refuses_other_shapes():
    with pytest.raises(ValueError, match="one shape"):
        structured_noise_3d(torch.zeros(3, 4, 4), torch.zeros(2, 4, 4))
