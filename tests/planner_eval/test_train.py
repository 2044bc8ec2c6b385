"""Training: learns to see, resumes to the same bytes, refuses another run's folder."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import TINY
from torch import nn

from phipd_sim2real.errors import UsageError
from planner_eval.checkpoint import load_checkpoint, save_checkpoint
from planner_eval.config import AugmentSettings, PlannerSettings
from planner_eval.planner import CameraPlanner
from planner_eval.plans import TIMES_S
from planner_eval.samples import samples_from_log
from planner_eval.tensors import as_arrays
from planner_eval.train import train_planner


class Killed(Exception):
    pass


def test_same_settings_same_bytes_even_when_interrupted(day_log, tiny_settings, tmp_path):
    whole = train_planner(day_log, tiny_settings, tmp_path / "whole")

    def kill_at_step_5(label: str, done: int, total: int) -> None:
        if label == "train planner" and done == 5:
            raise Killed

    with pytest.raises(Killed):
        train_planner(day_log, tiny_settings, tmp_path / "resumed", kill_at_step_5)
    steps = []
    resumed = train_planner(
        day_log, tiny_settings, tmp_path / "resumed", lambda label, done, _: steps.append((label, done))
    )
    assert [done for label, done in steps if label == "train planner"] == [4, 5, 6, 7, 8]
    assert resumed == whole
    assert resumed.weights_sha256 == whole.weights_sha256
    assert not (tmp_path / "resumed/checkpoint.safetensors").exists()


def test_a_finished_training_is_kept_and_not_taken_for_another(day_log, dusk_log, tiny_settings, tmp_path):
    first = train_planner(day_log, tiny_settings, tmp_path)
    assert train_planner(day_log, tiny_settings, tmp_path) == first
    with pytest.raises(UsageError, match="other settings or on another log"):
        train_planner(dusk_log, tiny_settings, tmp_path)


def test_arms_trained_side_by_side_get_the_bytes_they_get_alone(day_log, tiny_settings, tmp_path):
    settings = tiny_settings.model_copy(update={"steps": 2})
    alone = train_planner(day_log, settings, tmp_path / "alone").weights_sha256
    with ThreadPoolExecutor(2) as pool:
        folders = [tmp_path / "left", tmp_path / "right"]
        together = list(pool.map(lambda out: train_planner(day_log, settings, out).weights_sha256, folders))
    assert together == [alone, alone]


def test_another_seed_gives_other_weights(day_log, tiny_settings, tmp_path):
    hashes = {
        train_planner(
            day_log, tiny_settings.model_copy(update={"seed": seed, "steps": 1}), tmp_path / str(seed)
        ).weights_sha256
        for seed in (1, 2)
    }
    assert len(hashes) == 2


def test_learns_to_look(day_log, tiny_settings, tmp_path):
    """Seconds of training beat constant velocity by far, and only with the right picture."""
    recipe = {
        "steps": 100,
        "batch_size": 16,
        "learning_rate": 4e-3,
        "history_dropout": 1.0,
        "augment": AugmentSettings(jitter=None),
        "checkpoint_every": 1000,
    }
    train_planner(day_log, tiny_settings.model_copy(update=recipe), tmp_path)
    planner = CameraPlanner.from_pretrained(tmp_path)
    arrays = as_arrays(samples_from_log(day_log), planner.settings)
    elsewhere = replace(arrays, images=np.roll(arrays.images, len(arrays) // 2, axis=0))

    def error_at_5s(plans: np.ndarray) -> float:
        return float(np.linalg.norm(plans[:, -1] - arrays.future[:, -1], axis=-1).mean())

    seeing = error_at_5s(planner.plan_arrays(arrays).most_probable())
    assert seeing < 0.5 * error_at_5s(arrays.past[:, -1, None, 2:4] * TIMES_S[None, :, None])
    assert seeing < 0.5 * error_at_5s(planner.plan_arrays(elsewhere).most_probable())


def test_saved_planner_plans_the_same(dusk_samples, tmp_path):
    torch.manual_seed(0)
    planner = CameraPlanner(TINY.model_copy(update={"proposals": 3}), history=False).eval()
    planner.save_pretrained(tmp_path)
    again = CameraPlanner.from_pretrained(tmp_path)
    plans, repeated = planner.plan(dusk_samples[:2]), again.plan(dusk_samples[:2])
    assert plans.trajectories.shape == (2, 3, 20, 2)
    np.testing.assert_allclose(plans.probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(plans.trajectories, repeated.trajectories)
    assert again.history is False


def test_hidden_past_changes_nothing_but_speed_does(dusk_samples):
    torch.manual_seed(0)
    planner = CameraPlanner(TINY, history=False).eval()
    arrays = as_arrays(dusk_samples[:1], TINY)
    before = planner.plan_arrays(arrays).trajectories
    arrays.past[:, :-1] += 1.0
    np.testing.assert_array_equal(planner.plan_arrays(arrays).trajectories, before)
    arrays.past[:, -1, 2] *= 0.5
    assert np.abs(planner.plan_arrays(arrays).trajectories - before).max() > 1.0


def test_other_backbones_are_a_setting(dusk_samples):
    convnext = {"model_type": "convnext", "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}
    dinov2 = {"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    for backbone in (convnext, dinov2 | {"image_size": 32, "patch_size": 8, "out_features": ["stage1", "stage2"]}):
        planner = CameraPlanner(PlannerSettings(image_width=64, image_height=32, backbone=backbone, width=16))
        assert planner.plan(dusk_samples[:1]).trajectories.shape[2:] == (20, 2)
        arrays = as_arrays(dusk_samples[:2], planner.settings)
        inputs = map(torch.from_numpy, (arrays.images, arrays.projection, arrays.past, arrays.intent))
        layers, logits = planner.train()(*inputs, torch.ones(2, dtype=torch.bool))
        (layers[-1].square().mean() + logits.square().mean()).backward()
        moved = {name for name, parameter in planner.backbone.named_parameters() if parameter.grad is not None}
        still = {name for name, parameter in planner.backbone.named_parameters() if not parameter.requires_grad}
        assert still == {name for name, _ in planner.backbone.named_parameters() if "position_embeddings" in name}
        assert moved
        assert not moved & still


def test_a_restored_optimizer_is_laid_out_as_its_parameters(tmp_path, dusk_samples):
    """Fused steps on a GPU refuse moments of other strides, and a file knows none."""
    layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    before = {name: value.clone() for name, value in optimizer.state[layer.weight].items()}
    average = copy.deepcopy(layer)
    save_checkpoint(tmp_path / "c.safetensors", layer, average, optimizer, np.zeros(2), 1, "hash")
    again = torch.optim.AdamW(layer.parameters())
    load_checkpoint(tmp_path / "c.safetensors", layer, average, again, np.zeros(2), "hash")
    for name in ("exp_avg", "exp_avg_sq"):
        assert again.state[layer.weight][name].stride() == layer.weight.stride()
        torch.testing.assert_close(again.state[layer.weight][name], before[name], rtol=0, atol=0)


def test_what_is_no_planner_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no planner"):
        CameraPlanner.from_pretrained(tmp_path)


def test_blind_floor_sees_no_picture(dusk_samples):
    torch.manual_seed(0)
    planner = CameraPlanner(TINY.model_copy(update={"vision": False})).eval()
    arrays = as_arrays(dusk_samples[:2], TINY)
    other = replace(arrays, images=255 - arrays.images)
    np.testing.assert_array_equal(planner.plan_arrays(arrays).trajectories, planner.plan_arrays(other).trajectories)
    assert planner.cameras == ()
    blind = [replace(sample, images={}, calibrations={}) for sample in dusk_samples[:2]]
    np.testing.assert_array_equal(planner.plan(blind).trajectories, planner.plan_arrays(arrays).trajectories)
