"""Known answers of the planning loss."""

import pytest
import torch

from planner_eval.config import LossSettings
from planner_eval.losses import planning_loss

VALID, SCALE = torch.ones(3, 20, dtype=torch.bool), torch.ones(20, 2)
FUTURE = torch.randn(3, 20, 2, generator=torch.Generator().manual_seed(0))
FIRST_IS_WRONG = torch.stack([FUTURE + 5, FUTURE], dim=1)
L1 = LossSettings(kind="l1", others=0.0, choice=0.0, earlier_layers=0.0)


def loss(layers, settings, logits=None, valid=VALID):
    logits = torch.zeros(3, layers[-1].shape[1]) if logits is None else logits
    return planning_loss(layers, logits, FUTURE, valid, SCALE, settings).item()


def test_the_best_proposal_counts_and_is_to_be_chosen():
    certain = torch.tensor([[0.0, 100.0]]).expand(3, 2)
    settings = L1.model_copy(update={"choice": 0.5})
    assert loss([FIRST_IS_WRONG], settings, certain) == pytest.approx(0.0, abs=1e-6)
    assert loss([FIRST_IS_WRONG], settings, -certain) == pytest.approx(50.0)


def test_the_others_get_their_share():
    assert loss([FIRST_IS_WRONG], L1) == pytest.approx(0.0, abs=1e-6)
    assert loss([FIRST_IS_WRONG], L1.model_copy(update={"others": 0.2})) == pytest.approx(0.2 / 2 * 10)


def test_earlier_layers_weigh_less():
    layers = [FUTURE[:, None] + 1, FUTURE[:, None]]
    assert loss(layers, L1.model_copy(update={"earlier_layers": 0.5})) == pytest.approx(0.5 * 2)


def test_kinds():
    away = [FUTURE[:, None] + 2]
    assert loss(away, L1) == pytest.approx(4.0, rel=1e-5)
    assert loss(away, L1.model_copy(update={"kind": "huber", "huber_delta": 0.5})) == pytest.approx(2 * 0.5 * 1.75)


def test_only_valid_waypoints_count_and_late_ones_weigh_more():
    paths = FUTURE[:, None].clone()
    paths[:, :, 10:] += 1.0
    assert loss([paths], L1) == pytest.approx(1.0, rel=1e-5)
    assert loss([paths], L1, valid=VALID & (torch.arange(20) < 10)) == pytest.approx(0.0, abs=1e-6)
    late = sum(range(11, 21)) / sum(range(1, 21))
    assert loss([paths], L1.model_copy(update={"time_power": 1.0})) == pytest.approx(2 * late, rel=1e-5)
