"""The region of kept phase."""

import pytest
import torch

from phipd_sim2real import Cutoff


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
