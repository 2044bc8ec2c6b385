"""Shares of kept phase per band."""

import pytest
import torch

from phipd_sim2real.phase import Profile, structured_noise

EDGES = (0.0, 0.1, 0.2, 0.3, 0.5)


def test_shares_hold_in_the_middle_of_their_bands_and_change_linearly():
    mask = Profile(EDGES, (1.0, 0.8, 0.2, 0.0)).mask(200, 200)
    expected = {0.0: 1.0, 0.05: 1.0, 0.1: 0.9, 0.15: 0.8, 0.2: 0.5, 0.25: 0.2, 0.325: 0.1, 0.4: 0.0, 0.5: 0.0}
    for frequency, share in expected.items():
        column = round(200 * frequency)
        assert mask[0, column] == pytest.approx(share, abs=1e-5)
        assert mask[column % 200, 0] == pytest.approx(share, abs=1e-5)


def test_one_band_is_one_share_for_all():
    assert torch.equal(Profile((0.0, 0.5), (0.3,)).mask(5, 6), torch.full((5, 4), 0.3))


def test_a_latent_grid_keeps_the_lowest_bins_of_the_pixels():
    profile = Profile((0.0, 0.01, 0.03, 0.06), (0.1, 1.0, 0.2))
    rows = torch.fft.fftfreq(12, 1 / 12).long()
    torch.testing.assert_close(profile.on_grid(8).mask(12, 20), profile.mask(96, 160)[rows, :11], rtol=0, atol=1e-5)


def test_noise_keeps_phase_in_the_bands_asked_for():
    source, noise = torch.randn(2, 50, 40, 40, generator=torch.Generator().manual_seed(0))
    result = structured_noise(source, noise, Profile((0.0, 0.1, 0.25, 0.75), (0.0, 0.0, 1.0)))
    turn = torch.fft.rfft2(result).angle() - torch.fft.rfft2(source).angle()
    assert torch.cos(turn)[:, 20, 20].mean() == pytest.approx(1, abs=1e-3)
    assert torch.cos(turn)[:, 1, 1].mean() == pytest.approx(0, abs=0.25)
    assert result.var() == pytest.approx(1, abs=0.02)


def _scene(texture):
    """Rectangles of own brightness, with white texture of a given deviation, and their labels."""
    generator = torch.Generator().manual_seed(1)
    regions = torch.zeros(6, 96, 128, dtype=torch.int64)
    for picture in regions:
        for label in range(1, 30):
            y, x = (int(torch.randint(size - 12, (), generator=generator)) for size in picture.shape)
            picture[y : y + 12, x : x + 12] = label
    tones = torch.randn(30, generator=generator)
    return tones[regions] + texture * torch.randn(regions.shape, generator=generator), regions


def test_learns_to_keep_all_of_a_picture_that_is_its_regions():
    assert Profile.learned(*_scene(texture=0), EDGES).shares == pytest.approx((1, 1, 1, 1), abs=1e-4)


def test_learns_to_let_go_of_bands_with_more_texture_than_geometry():
    luminance, regions = _scene(texture=0.3)
    shares = Profile.learned(luminance, regions, EDGES).shares
    geometry, _ = _scene(texture=0)
    texture = 0.3**2 * luminance[0].numel()
    power = torch.fft.rfft2(geometry).abs().square().mean(0)
    u, v = torch.fft.rfftfreq(128), torch.fft.fftfreq(96)[:, None]
    k = torch.hypot(u, v)
    for share, low, high in zip(shares, EDGES, EDGES[1:], strict=False):
        signal = power[(k > 0) & (k >= low) & (k < high)].mean().item()
        assert share == pytest.approx(signal / (signal + texture), abs=0.06)  # Wiener's share
    assert shares[0] > shares[1] > shares[3]


def test_learns_from_where_the_task_looks():
    luminance, regions = _scene(texture=0)
    grain = 2 * torch.randn(luminance.shape, generator=torch.Generator().manual_seed(2))
    grain[:, :, 64:] = 0
    right = torch.zeros(luminance.shape)
    right[:, :, 72:120] = 1
    everywhere = Profile.learned(luminance + grain, regions, EDGES)
    there = Profile.learned(luminance + grain, regions, EDGES, weights=right)
    assert min(there.shares) > 0.95
    assert everywhere.shares[3] < 0.3


@pytest.mark.parametrize(
    ("edges", "shares"),
    [((0.0,), ()), ((0.2, 0.1), (1.0,)), ((0.0, 0.1), (1.1,)), ((0.0, 0.1), (1.0, 0.0)), ((-0.1, 0.1), (1.0,))],
)
def test_refuses_impossible_values(edges, shares):
    with pytest.raises(ValueError, match=r"edges|shares"):
        Profile(edges, shares)


def test_refuses_to_learn_a_band_without_bins():
    luminance, regions = _scene(texture=0)
    with pytest.raises(ValueError, match=r"Bands \[0\]"):
        Profile.learned(luminance, regions, (0.0, 0.001, 0.5))
    with pytest.raises(ValueError, match="one shape"):
        Profile.learned(luminance, regions[:, 1:], EDGES)
