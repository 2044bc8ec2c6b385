"""The loop over optimiser steps of a planner's training.

Every random draw comes from (seed, step), so a training that was interrupted goes on from its last checkpoint
to the same bytes. Under `accelerate launch` each process learns from its share of every batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.progress import ProgressCallback
from planner_eval.augment import augmented
from planner_eval.checkpoint import load_checkpoint, save_checkpoint
from planner_eval.config import TrainSettings
from planner_eval.objective import PlanningObjective, as_graph
from planner_eval.planner import CameraPlanner, residual_spread
from planner_eval.tensors import SampleArrays

WARM_UP_SHARE = 0.05
GRADIENT_NORM = 1.0
_WEIGHTS_LOCK = threading.Lock()
"""Initial weights come from torch's global generator, which arms trained side by side in threads would share."""


class Trainer:
    """State of one training: weights, their average, the optimiser's moments and the losses so far.

    Attributes:
        draws: the samples, once per draw of their pictures; each epoch learns from the next.
        average: the averaged weights, which are kept.
        losses: (steps,) mean loss of each step done.
        step: steps done.
        accelerator: of this process.
    """

    def __init__(
        self, draws: Sequence[SampleArrays], settings: TrainSettings, checkpoint: Path, config_hash: str
    ) -> None:
        self.draws, self.settings = draws, settings
        self.checkpoint, self.config_hash = checkpoint, config_hash
        self.accelerator = Accelerator()
        if settings.batch_size % self.accelerator.num_processes:
            raise UsageError(
                f"A batch of {settings.batch_size} cannot be shared evenly by {self.accelerator.num_processes} "
                "processes; set train.batch_size to a multiple."
            )
        device = self.accelerator.device
        self.planner = new_planner(settings, draws[0]).to(device).train()
        self.average = new_planner(settings, draws[0]).to(device)
        self.optimizer = _optimizer(self.planner, settings)
        self.losses = np.zeros(settings.steps)
        self.step = load_checkpoint(checkpoint, self.planner, self.average, self.optimizer, self.losses, config_hash)
        self.objective = self._objective()
        self._averaged, self._current = _floats(self.average), _floats(self.planner)

    def _objective(self) -> nn.Module:
        """The loss of this process's share of a batch; on a GPU alone it runs as a graph."""
        objective = PlanningObjective(self.planner, self.settings.loss)
        if self.accelerator.device.type != "cuda" or self.accelerator.num_processes > 1:
            return self.accelerator.prepare_model(objective)
        with self._autocast(cache_enabled=False):  # a graph must hold the casts of the weights, which change
            return as_graph(objective, self._tensors(*self._batch(self.step)))

    def run(self, progress: ProgressCallback | None = None) -> None:
        """Trains to the end; the next batch is prepared while one is learnt."""
        with ThreadPoolExecutor(1) as ahead:
            upcoming = ahead.submit(self._batch, self.step)
            while self.step < self.settings.steps:
                batch, use_history = upcoming.result()
                upcoming = ahead.submit(self._batch, self.step + 1)
                self.losses[self.step] = self._learn(batch, use_history)
                self.step += 1
                if progress is not None:
                    progress("train planner", self.step, self.settings.steps)
                if self.step % self.settings.checkpoint_every == 0 and self.step < self.settings.steps:
                    self._save()
        self.average.cpu().eval()

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            save_checkpoint(
                self.checkpoint, self.planner, self.average, self.optimizer, self.losses, self.step, self.config_hash
            )

    def _batch(self, step: int) -> tuple[SampleArrays, np.ndarray]:
        """This process's samples of a step, and which of them see their past."""
        settings, process = self.settings, self.accelerator.process_index
        index, epochs = sample_order(len(self.draws[0]), settings, step)[:, process :: self.accelerator.num_processes]
        rng = np.random.default_rng((settings.seed, 2, step, process))
        use_history = rng.random(len(index)) >= settings.history_dropout
        drawn = [self.draws[epoch % len(self.draws)].take(index[epochs == epoch]) for epoch in np.unique(epochs)]
        return augmented(SampleArrays.joined(drawn), settings.augment, rng), use_history

    def _learn(self, batch: SampleArrays, use_history: np.ndarray) -> float:
        """One optimiser step; returns the loss over all processes."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = _learning_rate(settings, self.step)
        with self._autocast():
            loss = self.objective(*self._tensors(batch, use_history))
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        mean_loss = self.accelerator.reduce(loss.detach(), reduction="mean").item()
        if not np.isfinite(mean_loss):
            raise StageError(f"The loss is {mean_loss} at step {self.step}; lower train.learning_rate.")
        nn.utils.clip_grad_norm_(self.planner.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self._update_average()
        return mean_loss

    def _autocast(self, cache_enabled: bool = True) -> torch.autocast:
        device, enabled = self.accelerator.device.type, self.settings.precision == "bf16"
        return torch.autocast(device, torch.bfloat16, enabled=enabled, cache_enabled=cache_enabled)

    def _tensors(self, batch: SampleArrays, use_history: np.ndarray) -> tuple[Tensor, ...]:
        """The objective's inputs, on the device."""
        arrays = (batch.images, batch.projection, batch.past, batch.intent, use_history)
        arrays += (batch.future, batch.future_valid)
        return tuple(torch.from_numpy(array).to(self.accelerator.device) for array in arrays)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._averaged, self._current, 1 - decay)


def _floats(module: nn.Module) -> list[Tensor]:
    """Weights and running statistics."""
    return [value for value in module.state_dict().values() if value.is_floating_point()]


def sample_order(count: int, settings: TrainSettings, step: int) -> np.ndarray:
    """(2, batch_size) indices of the samples of a step, and their epochs; each goes through all in a new order."""
    positions = np.arange(step * settings.batch_size, (step + 1) * settings.batch_size)
    epochs = positions // count
    orders = {epoch: np.random.default_rng((settings.seed, 1, epoch)).permutation(count) for epoch in set(epochs)}
    index = [orders[epoch][position % count] for epoch, position in zip(epochs, positions, strict=True)]
    return np.stack([index, epochs])


def new_planner(settings: TrainSettings, arrays: SampleArrays) -> CameraPlanner:
    """A planner with the weights of the seed, and the spread of the samples as its unit."""
    with _WEIGHTS_LOCK, torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        planner = CameraPlanner(settings.planner, history=settings.history_dropout < 1)
    spread = residual_spread(arrays.past, arrays.future, arrays.future_valid)
    planner.residual_scale.copy_(torch.from_numpy(spread))
    return planner


def _learning_rate(settings: TrainSettings, step: int) -> float:
    warm_up = max(1, round(WARM_UP_SHARE * settings.steps))
    if step < warm_up:
        return settings.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, settings.steps - warm_up)
    return settings.learning_rate * 0.5 * (1 + float(np.cos(np.pi * done)))


def _optimizer(planner: CameraPlanner, settings: TrainSettings) -> torch.optim.AdamW:
    matrices = [parameter for parameter in planner.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in planner.parameters() if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    fused = planner.residual_scale.is_cuda
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=fused)
