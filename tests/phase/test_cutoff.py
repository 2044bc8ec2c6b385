"""The region of kept phase."""

import pytest
import torch

from phipd_sim2real import Cutoff, structured_noise


def test_bins_means_the_papers_mask():
    height, width, radius, sigma = 40, 64, 9.0, 2.0
    v = torch.fft.fftfreq(height, 1 / height)[:, None]
    u = torch.fft.rfftfreq(width, 1 / width)[None, :]
    rho = torch.hypot(u, v)
    expected = torch.where(rho <= radius, 1.0, torch.exp(-((rho - radius) ** 2) / (2 * sigma**2)))
    torch.testing.assert_close(Cutoff.bins(radius, height, width).mask(height, width), expected)


def test_same_cycles_per_pixel_keep_the_same_share_at_every_size():
    shares = [Cutoff.isotropic(0.2).mask(height, width).mean().item() for height, width in [(144, 240), (380, 640)]]
    assert shares[0] == pytest.approx(shares[1], rel=0.05)


def test_axes_are_independent():
    mask = Cutoff(0.4, 0.1, softness=0).mask(100, 100)
    assert mask[0, 39] == 1
    assert mask[0, 42] == 0
    assert mask[9, 0] == 1
    assert mask[12, 0] == 0
    assert mask[-9, 0] == 1


def test_zero_keeps_nothing():
    assert Cutoff.isotropic(0).mask(8, 9).sum() == 0


@pytest.mark.parametrize("values", [(-0.1, 0.1, 0.1), (0.1, float("nan"), 0.1), (0.1, 0.1, float("inf"))])
def test_refuses_impossible_values(values):
    with pytest.raises(ValueError, match="finite"):
        Cutoff(*values)


def test_refuses_a_radius_of_no_bins():
    with pytest.raises(ValueError, match="radius"):
        Cutoff.bins(0, 8, 8)


@pytest.mark.parametrize("size", [(144, 240), (190, 320), (121, 93)])
@pytest.mark.parametrize(("period", "kept"), [(8, True), (3, False)])
def test_detail_of_one_size_is_kept_in_pictures_of_every_size(size, period, kept):
    columns = torch.arange(size[1])
    grating = torch.cos(2 * torch.pi * columns / period).expand(size)
    noise = torch.randn(size, generator=torch.Generator().manual_seed(0))
    result = structured_noise(grating, noise, Cutoff.isotropic(0.2, softness=0.1))
    u = round(size[1] / period)
    turn = torch.fft.rfft2(result)[0, u].angle() - torch.fft.rfft2(grating)[0, u].angle()
    own = torch.fft.rfft2(noise)[0, u].angle() - torch.fft.rfft2(grating)[0, u].angle()
    assert torch.cos(turn) == pytest.approx(1.0 if kept else torch.cos(own).item(), abs=1e-3)


@pytest.mark.parametrize("cutoff", [Cutoff(0.05, 0.03), Cutoff.isotropic(0.04, 0.3, free_below=0.01)])
@pytest.mark.parametrize(("height", "width"), [(88, 160), (11, 15)])
def test_a_latent_grid_keeps_the_lowest_bins_of_the_pixels(cutoff, height, width):
    pixels, cells = cutoff.mask(8 * height, 8 * width), cutoff.on_grid(8).mask(height, width)
    rows = torch.fft.fftfreq(height, 1 / height).long()
    torch.testing.assert_close(cells, pixels[rows, : width // 2 + 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [0, -8, float("inf"), float("nan")])
def test_refuses_an_impossible_grid(factor):
    with pytest.raises(ValueError, match="pixels per cell"):
        Cutoff.isotropic(0.05).on_grid(factor)
