"""The loop over optimizer steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator

from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.fit_batches import Batch, Batches
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.precision import autocast

MAX_GRADIENT_NORM = 1.0


@dataclass
class Trainer:
    """Learns batch by batch; one is prepared while the one before is learnt.

    Attributes:
        settings: of the fit.
        batches: where they come from.
        accelerator: of this process.
        wrapped: the network, wrapped for parallel training where there are several processes.
        state: what changes.
        seconds_per_step: mean of this run.
    """

    settings: FitSettings
    batches: Batches
    accelerator: Accelerator
    wrapped: torch.nn.Module
    state: TrainingState
    seconds_per_step: float = float("nan")

    def run(self) -> Iterator[int]:
        """Trains up to the last step; yields the number of steps done after each."""
        first, began = self.state.step, time.monotonic()
        # A new thread takes over torch's number of threads only after its first operation, which would sum differently.
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)) as ahead:
            upcoming = ahead.submit(self.batches.of_step, first)
            while self.state.step < self.settings.steps:
                batches = upcoming.result()
                upcoming = ahead.submit(self.batches.of_step, self.state.step + 1)
                self.learn(batches)
                self.seconds_per_step = (time.monotonic() - began) / (self.state.step - first)
                yield self.state.step

    def learn(self, batches: list[Batch]) -> None:
        """One optimizer step on the mean gradient of the micro-batches, clipped."""
        state, settings = self.state, self.settings
        total = 0.0
        for index, batch in enumerate(batches):
            last = index == len(batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.wrapped):
                total += self._backward(batch, len(batches))
        torch.nn.utils.clip_grad_norm_(state.weights.values(), MAX_GRADIENT_NORM)
        for group in state.optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_share(state.step, settings)
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step += 1
        state.losses.append(total)
        state.update_ema(settings.ema_decay)

    def _backward(self, batch: Batch, parts: int) -> float:
        """Adds one micro-batch's share of the gradient; returns its share of the loss."""
        family = self.batches.family
        with autocast(self.accelerator.device, self.settings.precision):
            prediction = family.predict(self.wrapped, batch.x_t, batch.t, batch.condition)
        share = family.loss(prediction, batch.target, batch.condition) / parts
        self.accelerator.backward(share)
        return share.item()


def learning_rate_share(step: int, settings: FitSettings) -> float:
    """Share of the learning rate at a step (from 0): linear rise, constant, cosine fall."""
    rise = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    left = (settings.steps - step) / max(1, settings.decay_steps)
    return rise * (1 - math.cos(math.pi * min(1.0, left))) / 2
