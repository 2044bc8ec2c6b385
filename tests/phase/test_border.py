"""The component of a picture that joins itself without a seam."""

import pytest
import torch

from phipd_sim2real import Cutoff
from phipd_sim2real.phase import periodic_component, structured_noise


@pytest.mark.parametrize("size", [(16, 24), (15, 22), (2, 31, 17)])
def test_the_rest_is_the_solution_of_poissons_equation_for_the_jumps(size):
    u = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    smooth = u - periodic_component(u)
    neighbours = sum(smooth.roll(step, axis) for axis in (-1, -2) for step in (-1, 1))
    jumps = torch.zeros_like(u)
    for axis in (-2, -1):
        jump = u.select(axis, -1) - u.select(axis, 0)
        jumps.select(axis, 0).add_(jump)
        jumps.select(axis, -1).sub_(jump)
    torch.testing.assert_close(neighbours - 4 * smooth, jumps, rtol=0, atol=1e-12)
    torch.testing.assert_close(smooth.mean((-2, -1)), torch.zeros(size[:-2], dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_picture_without_a_seam_stays_as_it_is():
    y, x = torch.meshgrid(torch.arange(16), torch.arange(20), indexing="ij")
    inside = torch.zeros(16, 20)
    inside[4:9, 5:15] = 1
    torch.testing.assert_close(periodic_component(inside), inside, rtol=0, atol=1e-6)
    ramp = (x + y).float()
    assert (ramp[:, 0] - ramp[:, -1]).abs().min() == 19
    assert (periodic_component(ramp)[:, 0] - periodic_component(ramp)[:, -1]).abs().max() < 2


def test_takes_the_seam_out_of_the_noise():
    ramp = torch.linspace(-1, 1, 96).expand(64, 96) + 0.05 * torch.randn(
        64, 96, generator=torch.Generator().manual_seed(1)
    )
    draws = torch.randn(64, 64, 96, generator=torch.Generator().manual_seed(2))

    def seam(source):
        mean = structured_noise(source.expand_as(draws), draws).mean(0)
        return ((mean[:, 0] - mean[:, -1]).square().mean() / mean.diff(dim=1).square().mean()).sqrt()

    assert seam(ramp) > 1.5
    assert seam(periodic_component(ramp)) < 1.2


@pytest.mark.parametrize("size", [(16, 24), (15, 22), (2, 31, 17), (3, 64, 65), (300, 440)])
@pytest.mark.parametrize("cutoff", [None, Cutoff.isotropic(0.2)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-11)])
def test_seamless_noise_is_that_of_the_periodic_component(size, cutoff, dtype, tolerance):
    generator = torch.Generator().manual_seed(3)
    source, noise = torch.randn(2, *size, generator=generator, dtype=torch.float64)
    source += torch.linspace(-3, 5, size[-1], dtype=torch.float64)  # a seam
    expected = structured_noise(periodic_component(source), noise, cutoff)
    result = structured_noise(source.to(dtype), noise.to(dtype), cutoff, seamless=True)
    difference = result.double() - expected
    # A bin that holds next to nothing may turn by rounding, which the root of the mean square counts for what it is.
    assert difference.square().mean().sqrt() < tolerance
    assert (result.double() - structured_noise(source, noise, cutoff)).abs().max() > 0.1


@pytest.mark.parametrize("size", [(48, 64), (45, 63)])
def test_rounding_of_the_seam_gives_no_phase(size):
    ramp = torch.linspace(0, 1, size[1]).expand(size)
    noise = torch.randn(size, generator=torch.Generator().manual_seed(4))
    result = structured_noise(ramp, noise, seamless=True)
    F_result, F_noise = (torch.fft.fft2(x.double()) for x in (result, noise))
    torch.testing.assert_close(F_result[1:], F_noise[1:], rtol=1e-4, atol=1e-4)  # v != 0 is empty
    assert (F_result[0] - F_noise[0]).abs().max() > 1
