"""Fitting a model to unpaired pictures: each is its own source and target."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.export import export, finished
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.images import UnpairedImages
from phipd_sim2real.diffusion.models import model_folder
from phipd_sim2real.diffusion.pipeline import PhasePipeline, velocity
from phipd_sim2real.diffusion.precision import autocast
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json, write_text
from phipd_sim2real.phase import Cutoff
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import settings_hash

MAX_GRADIENT_NORM = 1.0
TRAINING = Path("training")


def fit(settings: FitSettings, out: Path, progress: ProgressCallback | None = None) -> Path:
    """Fits a model and writes it as a diffusers folder; an interrupted fit goes on from its last checkpoint.

    Every random choice of a step derives from (seed, step, process), so that an interrupted fit ends with the
    same bytes as an uninterrupted one on the same machine. Under `accelerate launch` it trains on all devices.

    Args:
        settings: what to fit and how.
        out: folder of the model; `training/` in it holds the checkpoint and the loss log.
        progress: called as progress(label, step, steps).

    Returns:
        The model's folder, for `Enhancer.from_pretrained`.

    Raises:
        UsageError: the data or the initial model is not there, or `out` holds a fit with other settings.
    """
    images = UnpairedImages.load(settings.data, settings.max_images)
    identity = _identity(settings, images)
    if finished(out, identity, settings.steps):
        return out
    accelerator = Accelerator()
    pipeline = _initial(settings)
    wrapped = accelerator.prepare_model(pipeline.unet)
    state = TrainingState.begin(pipeline.unet, settings.learning_rate)
    checkpoint = out / TRAINING / "checkpoint.safetensors"
    if checkpoint.exists():
        state.restore(checkpoint, identity)
        if state.step > settings.steps:
            raise UsageError(f"{out} holds a fit of {state.step} steps; ask for as many or more, not {settings.steps}.")
    trainer = _Trainer(settings, images, pipeline, accelerator, wrapped, state)
    for step in trainer.run():
        if progress is not None:
            progress("fit", step, settings.steps)
        if accelerator.is_main_process and (step % settings.checkpoint_every == 0 or step == settings.steps):
            state.save(checkpoint, identity)
            _write_logs(out / TRAINING, trainer)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        export(out, pipeline, state, settings, images, identity)
    return out


@dataclass
class _Batch:
    """Crops and their noise: x_0 and eps (B, 3, H, W) in [-1, 1] and of unit variance; t and condition (B,)."""

    x_0: Tensor
    eps: Tensor
    t: Tensor
    condition: Tensor


class _Trainer:
    """The loop over optimizer steps; one batch is prepared while the one before is learnt."""

    def __init__(
        self,
        settings: FitSettings,
        images: UnpairedImages,
        pipeline: PhasePipeline,
        accelerator: Accelerator,
        wrapped: torch.nn.Module,
        state: TrainingState,
    ) -> None:
        self.settings, self.images, self.pipeline = settings, images, pipeline
        self.accelerator, self.wrapped, self.state = accelerator, wrapped, state
        self.seconds_per_step = float("nan")

    def run(self) -> Iterator[int]:
        """Trains up to the last step; yields the number of steps done after each."""
        first, began = self.state.step, time.monotonic()
        with ThreadPoolExecutor(1) as ahead:
            upcoming = ahead.submit(self._batch, first)
            while self.state.step < self.settings.steps:
                batch = upcoming.result()
                upcoming = ahead.submit(self._batch, self.state.step + 1)
                self._learn(batch)
                self.seconds_per_step = (time.monotonic() - began) / (self.state.step - first)
                yield self.state.step

    def _batch(self, step: int) -> _Batch:
        settings = self.settings
        rng = np.random.default_rng([settings.seed, step, self.accelerator.process_index])
        crop = settings.crops[rng.integers(len(settings.crops))]
        size = (crop.height, crop.width)
        crops = np.stack([self.images.crop(rng, *size, settings.scale) for _ in range(crop.count)])
        x_0 = torch.from_numpy(crops).to(self.accelerator.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        cutoffs = _drawn_cutoffs(rng, settings, crop.count)
        seeds = rng.integers(2**63, size=crop.count)
        eps = self.pipeline.noise(x_0, cutoffs, [torch.Generator().manual_seed(int(seed)) for seed in seeds])
        t = torch.from_numpy(rng.uniform(size=crop.count)).float().to(x_0.device)
        return _Batch(x_0, eps, t, self.pipeline.condition(cutoffs))

    def _learn(self, batch: _Batch) -> None:
        """One step of flow matching: MSE between the predicted and the true v = eps - x_0."""
        state, settings = self.state, self.settings
        t = batch.t[:, None, None, None]
        x_t = t * batch.eps + (1 - t) * batch.x_0
        with autocast(self.accelerator.device, settings.precision):
            v = velocity(self.wrapped, x_t, batch.t, batch.condition, self.pipeline.config.patch)
        loss = (v - (batch.eps - batch.x_0)).square().mean()
        self.accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.wrapped.parameters(), MAX_GRADIENT_NORM)
        for group in state.optimizer.param_groups:
            group["lr"] = settings.learning_rate * _rate(state.step, settings)
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step += 1
        state.losses.append(loss.item())
        state.update_ema(settings.ema_decay)


def _drawn_cutoffs(rng: np.random.Generator, settings: FitSettings, count: int) -> list[Cutoff]:
    """A cutoff for each crop; a third of them let the lowest band go."""
    highest = rng.uniform(*settings.cutoff, count)
    lowest = rng.uniform(0, settings.free_below, count) * (rng.random(count) < 1 / 3)
    return [Cutoff.isotropic(high, free_below=low) for high, low in zip(highest, lowest, strict=True)]


def _rate(step: int, settings: FitSettings) -> float:
    """Share of the learning rate at a step (from 0): linear rise, constant, cosine fall."""
    rise = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    left = (settings.steps - step) / max(1, settings.decay_steps)
    return rise * (1 - math.cos(math.pi * min(1.0, left))) / 2


def _initial(settings: FitSettings) -> PhasePipeline:
    if settings.initial is None:
        return PhasePipeline.build(settings.model, settings.cutoff[1], settings.seed)
    return PhasePipeline.from_pretrained(model_folder(settings.initial))


def _identity(settings: FitSettings, images: UnpairedImages) -> str:
    """Names what a checkpoint may be continued with: all but where the pictures lie and how long it goes on."""
    same = settings.model_copy(update={"data": Path(images.sha256), "checkpoint_every": 1})
    if not settings.decay_steps:
        same = same.model_copy(update={"steps": 1})
    return settings_hash(same)


def _write_logs(folder: Path, trainer: _Trainer) -> None:
    """The loss, averaged between checkpoints, and the speed of this run."""
    losses, every = np.array(trainer.state.losses), trainer.settings.checkpoint_every
    ends = [*range(every, len(losses), every), len(losses)]
    means = [losses[max(0, end - every) : end].mean() for end in ends]
    lines = ["step,loss", *(f"{end},{mean:.6f}" for end, mean in zip(ends, means, strict=True))]
    write_text(folder / "loss.csv", "\n".join(lines) + "\n")
    write_json(folder / "speed.json", {"seconds_per_step": round(trainer.seconds_per_step, 3)})
