"""Local phase on a frame of complex wavelets."""

import pytest
import torch

from phipd_sim2real.phase import local_structured_noise
from phipd_sim2real.phase.wavelet import _low_pass, bands

SIZES = [(64, 64), (63, 96), (80, 65), (71, 67)]


def _pair(shape, seed=0):
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", SIZES)
def test_bands_and_the_low_pass_rest_are_a_tight_frame(size):
    total = torch.zeros(size)
    for band in bands(*size, levels=3):
        total[band.rows[:, None], band.columns] += band.g**2
    total += total.flip(0, 1).roll((1, 1), (0, 1))  # a real picture has the mirrored bins as well
    low = [_low_pass(torch.fft.fftfreq(n), 0.25 / 4) ** 2 for n in size]
    torch.testing.assert_close(total + low[0][:, None] * low[1], torch.ones(size), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_no_rigidity_is_the_noise_itself(size):
    source, noise = _pair((2, *size))
    assert torch.equal(local_structured_noise(source, noise, torch.zeros(size), levels=3), noise)


@pytest.mark.parametrize("size", SIZES)
def test_a_source_that_is_the_noise_changes_nothing(size):
    noise = _pair((2, *size))[0]
    result = local_structured_noise(noise, noise, torch.ones(size), levels=3)
    torch.testing.assert_close(result, noise, rtol=0, atol=1e-4)


def _scenes(count, height, width):
    """Overlapping rectangles with faint grain: edges, flat places and a falling spectrum."""
    generator = torch.Generator().manual_seed(3)
    pictures = 0.02 * torch.randn(count, height, width, generator=generator)
    for picture in pictures:
        for _ in range(60):
            y, x = (
                int(torch.randint(height, (), generator=generator)),
                int(torch.randint(width, (), generator=generator)),
            )
            tone = torch.rand((), generator=generator)
            picture[y : y + 40, x : x + 24] = tone + 0.02 * torch.randn(
                picture[y : y + 40, x : x + 24].shape, generator=generator
            )
    return pictures


def _agreement(source, noise, place):
    """Magnitude-weighted cosine between local phases, over the places where `place` holds."""
    weighted, total = 0.0, 0.0
    spectra = torch.fft.fft2(source), torch.fft.fft2(noise)
    height, width = source.shape[-2:]
    for _, rows, columns, g in bands(height, width, levels=4):
        w, e = (torch.fft.ifft2(spectrum[..., rows[:, None], columns] * g) for spectrum in spectra)
        y, x = (torch.arange(n) * size // n for n, size in ((len(rows), height), (len(columns), width)))
        magnitude = w.abs() * place[y[:, None], x]
        weighted += (magnitude * torch.cos(w.angle() - e.angle())).sum()
        total += magnitude.sum()
    return float(weighted / total)


def test_variance_stays_near_one_and_the_spectrum_near_white():
    source = _scenes(12, 128, 192)
    noise = torch.randn(source.shape, generator=torch.Generator().manual_seed(4))
    for rigidity in (0.3, 0.7, 1.0):
        result = local_structured_noise(source, noise, torch.full((128, 192), rigidity))
        assert result.var() == pytest.approx(1, abs=0.1)
        power = torch.fft.rfft2(result, norm="ortho").abs().square().mean(0)
        k = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(192))
        rings = [power[(k >= low) & (k < low + 0.1)].mean().item() for low in (0.0, 0.1, 0.2, 0.3, 0.4)]
        assert 0.75 < min(rings) < max(rings) < 1.2


def test_phase_is_kept_where_it_is_rigid_and_nowhere_else():
    source = _scenes(4, 128, 192)
    noise = torch.randn(source.shape, generator=torch.Generator().manual_seed(5))
    left = torch.zeros(128, 192)
    left[:, :96] = 1
    result = local_structured_noise(source, noise, left)
    inside, outside = torch.zeros(2, 128, 192)
    inside[:, 16:80], outside[:, 112:176] = 1, 1
    assert _agreement(source, result, inside) > 0.8
    assert abs(_agreement(source, result, outside)) < 0.1
    assert (result - noise)[..., 128:160].abs().max() < 0.2 * (result - noise)[..., 32:64].abs().max()
    assert (result - noise)[..., 128:160].std() < 0.05


def test_each_level_has_a_rigidity_of_its_own():
    source, noise = _pair((128, 128), seed=6)
    finest = torch.zeros(4, 128, 128)
    finest[0] = 1
    change = torch.fft.rfft2(local_structured_noise(source, noise, finest) - noise).abs()
    k = torch.maximum(torch.fft.fftfreq(128).abs()[:, None], torch.fft.rfftfreq(128))
    assert change[k < 0.16].max() < 1e-3
    assert change[k > 0.34].mean() > 10


def test_flat_places_keep_the_noise():
    noise = _pair((64, 64))[1]
    flat = torch.full((64, 64), 200.0)
    torch.testing.assert_close(local_structured_noise(flat, noise, torch.ones(64, 64)), noise, rtol=0, atol=1e-4)


def test_refuses_what_has_no_local_phase():
    with pytest.raises(ValueError, match="at least 64"):
        local_structured_noise(torch.zeros(32, 64), torch.zeros(32, 64), torch.zeros(32, 64))
    with pytest.raises(ValueError, match="rigidity"):
        local_structured_noise(torch.zeros(64, 64), torch.zeros(64, 64), torch.zeros(64, 32))
    with pytest.raises(ValueError, match=r"within \[0, 1\]"):
        local_structured_noise(torch.zeros(64, 64), torch.zeros(64, 64), torch.full((64, 64), 2.0))
