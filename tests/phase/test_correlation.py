"""How alike two draws are, against the theory of complex Gaussian magnitudes."""

import pytest
import torch
from scipy.special import hyp2f1

from phipd_sim2real.phase import Cutoff, correlated_noise, structured_noise


def _correlation(a, b):
    return (a * b).mean() / (a.square().mean() * b.square().mean()).sqrt()


def _draws(correlation):
    generator = torch.Generator().manual_seed(0)
    shared, first, second = torch.randn(3, 20, 64, 64, generator=generator)
    return correlated_noise(shared, first, correlation), correlated_noise(shared, second, correlation)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 1.0])
def test_draws_with_the_phase_of_one_source_correlate_by_their_magnitudes(correlation):
    first, second = _draws(correlation)
    source = torch.randn(64, 64, generator=torch.Generator().manual_seed(1)).expand_as(first)
    locked = _correlation(structured_noise(source, first), structured_noise(source, second))
    assert locked == pytest.approx(torch.pi / 4 * hyp2f1(-0.5, -0.5, 1, correlation**2), abs=0.01)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_draws_without_phase_correlate_as_asked_for_and_stay_white(correlation):
    first, second = _draws(correlation)
    source = torch.zeros_like(first)
    free = [structured_noise(source, draw, Cutoff.isotropic(0)) for draw in (first, second)]
    assert _correlation(*free) == pytest.approx(correlation, abs=0.01)
    assert first.var() == pytest.approx(1, abs=0.02)
    assert _correlation(first, first.roll(1, -1)) == pytest.approx(0, abs=0.01)


def test_refuses_what_is_no_correlation():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        correlated_noise(torch.zeros(2, 2), torch.zeros(2, 2), 1.5)
    with pytest.raises(ValueError, match="one shape"):
        correlated_noise(torch.zeros(2, 2), torch.zeros(2, 3), 0.5)
