"""The three objectives say the same of a picture, each in its own terms."""

import itertools

import pytest
import torch

from phipd_sim2real.diffusion.objective import broadcast, clean, converted, loss, mixed, target

OBJECTIVES = ("flow", "epsilon", "v_prediction")


@pytest.fixture
def drawn():
    """x_0 and eps (3, 2, 4, 5) float64, and the levels of flow matching and of a variance-preserving process."""
    rng = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 3, 2, 4, 5, generator=rng, dtype=torch.float64)
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64).reshape(3, 1, 1, 1)
    return x_0, eps, {"flow": (1 - t, t), "diffusion": ((1 - t**2).sqrt(), t)}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("process", ["flow", "diffusion"])
def test_an_ideal_prediction_has_no_loss_and_tells_the_clean_picture(drawn, objective, process):
    x_0, eps, levels = drawn
    alpha, sigma = levels[process]
    x_t, ideal = mixed(x_0, eps, alpha, sigma), target(objective, x_0, eps, alpha, sigma)
    assert loss(ideal, target(objective, x_0, eps, alpha, sigma)) == 0
    torch.testing.assert_close(clean(objective, ideal, x_t, alpha, sigma), x_0, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("given", "wanted"), list(itertools.permutations(OBJECTIVES, 2)))
@pytest.mark.parametrize("process", ["flow", "diffusion"])
def test_any_prediction_means_the_same_picture_in_every_objective(drawn, given, wanted, process):
    x_0, eps, levels = drawn
    alpha, sigma = levels[process]
    x_t = mixed(x_0, eps, alpha, sigma)
    guess = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    other = converted(guess, x_t, alpha, sigma, given, wanted)
    expected = clean(given, guess, x_t, alpha, sigma)
    torch.testing.assert_close(clean(wanted, other, x_t, alpha, sigma), expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(converted(other, x_t, alpha, sigma, wanted, given), guess, rtol=0, atol=1e-10)


def test_v_is_the_derivative_along_the_angle_and_flow_along_time(drawn):
    x_0, eps, _ = drawn
    angle = torch.tensor(0.7, dtype=torch.float64)
    step = 1e-6
    ahead, behind = (mixed(x_0, eps, (angle + d).cos(), (angle + d).sin()) for d in (step, -step))
    v = target("v_prediction", x_0, eps, angle.cos(), angle.sin())
    torch.testing.assert_close((ahead - behind) / (2 * step), v, rtol=0, atol=1e-8)
    t = torch.tensor(0.3, dtype=torch.float64)
    ahead, behind = (mixed(x_0, eps, 1 - t - d, t + d) for d in (step, -step))
    torch.testing.assert_close((ahead - behind) / (2 * step), target("flow", x_0, eps, 1 - t, t), rtol=0, atol=1e-8)


def test_levels_are_shaped_to_multiply_pictures_and_clips():
    levels = torch.tensor([0.25, 0.5])
    assert broadcast(levels, torch.zeros(2, 3, 4, 5)).shape == (2, 1, 1, 1)
    assert broadcast(levels, torch.zeros(2, 3, 4, 5, 6)).shape == (2, 1, 1, 1, 1)
