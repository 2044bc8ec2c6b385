"""Training of the camera planner on one drive log.

Every random draw comes from (seed, step), so a training that was interrupted goes on from its last checkpoint
to the same bytes. The recipe knows nothing of arms: they differ in the pictures of their log alone.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import settings_hash
from phipd_sim2real.waymo import PlannerSample
from planner_eval.checkpoint import load_checkpoint, save_checkpoint
from planner_eval.config import TrainSettings
from planner_eval.planner import CameraPlanner, residual_spread
from planner_eval.samples import count_frames, samples_from_log
from planner_eval.tensors import SampleArrays, as_arrays

MARKER = "training.json"
CHECKPOINT = "checkpoint.safetensors"
WARM_UP_SHARE = 0.05
GRADIENT_NORM = 1.0
_WEIGHTS_LOCK = threading.Lock()
"""Initial weights come from torch's global generator, which arms trained side by side in threads would share."""

HUBER_DELTA = 0.3
"""Where the loss turns from quadratic to linear, in units of the training set's spread."""


@dataclass(frozen=True)
class TrainSummary:
    """What a training left behind, as in `training.json`.

    Attributes:
        samples: training samples used.
        skipped: reason -> frames that could not be used.
        steps: optimiser steps.
        loss: mean loss over the last tenth of the steps.
        config_hash: hash of settings and data.
        weights_sha256: hash of `model.safetensors`.
    """

    samples: int
    skipped: dict[str, int]
    steps: int
    loss: float
    config_hash: str
    weights_sha256: str


def train_planner(
    log: DriveLog, settings: TrainSettings, out: Path, progress: ProgressCallback | None = None
) -> TrainSummary:
    """Trains a planner on every frame of a log that has a full future.

    Args:
        log: complete drive log; its pictures are decoded once and held at the planner's size.
        settings: model and recipe.
        out: folder for the planner (`CameraPlanner.from_pretrained`); a finished training is not repeated.
        progress: called as progress(label, done, total).

    Raises:
        UsageError: `out` holds a training with other settings or data.
        StageError: the log has no usable frame, or the loss is not finite.
    """
    config_hash = _hash(log, settings)
    if (out / MARKER).is_file():
        return _finished(out, config_hash)
    arrays, skipped = _training_arrays(log, settings, progress)
    with _threads(settings.threads):
        planner, losses = _Training(arrays, settings, out / CHECKPOINT, config_hash).run(progress)
    planner.save_pretrained(out)
    summary = TrainSummary(
        samples=len(arrays),
        skipped=skipped,
        steps=settings.steps,
        loss=float(losses[-max(1, settings.steps // 10) :].mean()),
        config_hash=config_hash,
        weights_sha256=sha256_file(out / "model.safetensors"),
    )
    write_json(out / MARKER, summary.__dict__)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return summary


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Training:
    """State of one training: weights, their average, the optimiser's moments and the losses so far."""

    def __init__(self, arrays: SampleArrays, settings: TrainSettings, checkpoint: Path, config_hash: str) -> None:
        self.arrays, self.settings = arrays, settings
        self.checkpoint, self.config_hash = checkpoint, config_hash
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.planner = _new_planner(settings, arrays).to(self.device)
        self.average = _new_planner(settings, arrays).to(self.device)
        self.optimizer = _optimizer(self.planner, settings)
        self.losses = np.zeros(settings.steps)
        self.step = load_checkpoint(checkpoint, self.planner, self.average, self.optimizer, self.losses, config_hash)

    def run(self, progress: ProgressCallback | None) -> tuple[CameraPlanner, np.ndarray]:
        """Trains to the end; returns the averaged planner and the (steps,) losses."""
        self.planner.train()
        while self.step < self.settings.steps:
            self.losses[self.step] = self._advance()
            self.step += 1
            if progress is not None:
                progress("train planner", self.step, self.settings.steps)
            if self.step % self.settings.checkpoint_every == 0 and self.step < self.settings.steps:
                save_checkpoint(
                    self.checkpoint, self.planner, self.average, self.optimizer, self.losses, self.step,
                    self.config_hash,
                )  # fmt: skip
        return self.average.cpu().eval(), self.losses

    def _advance(self) -> float:
        settings = self.settings
        batch, use_history = _batch(self.arrays, settings, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = _learning_rate(settings, self.step)
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=settings.precision == "bf16"):
            inputs = (batch.images, batch.rays, batch.past, batch.intent, use_history)
            trajectories, logits = self.planner(*(torch.from_numpy(x).to(self.device) for x in inputs))
            future, valid = (torch.from_numpy(x).to(self.device) for x in (batch.future, batch.future_valid))
        loss = planning_loss(trajectories, logits, future, valid, self.planner.residual_scale)
        if not torch.isfinite(loss):
            raise StageError(f"The loss is {loss.item()} at step {self.step}; lower train.learning_rate.")
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.planner.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self._update_average()
        return loss.item()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        current = self.planner.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - decay)
            else:
                value.copy_(current[name])


def planning_loss(trajectories: Tensor, logits: Tensor, future: Tensor, valid: Tensor, scale: Tensor) -> Tensor:
    """Huber loss of the best proposal in units of the spread, plus the cross entropy of choosing it.

    Args:
        trajectories: (N, K, 20, 2) metres.
        logits: (N, K).
        future: (N, 20, 2) metres.
        valid: (N, 20) bool.
        scale: (20, 2) metres.
    """
    error = (trajectories - future[:, None]) / scale
    huber = nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=HUBER_DELTA)
    weights = valid[:, None, :, None] / valid.sum(dim=1).clamp(min=1)[:, None, None, None]
    cost = (huber * weights).sum(dim=(2, 3))
    best = cost.argmin(dim=1)
    return cost.gather(1, best[:, None]).mean() + nn.functional.cross_entropy(logits, best)


def _batch(arrays: SampleArrays, settings: TrainSettings, step: int) -> tuple[SampleArrays, np.ndarray]:
    """Samples of a step, each epoch in a new order, and which of them see their past."""
    count, size = len(arrays), settings.batch_size
    positions = np.arange(step * size, (step + 1) * size)
    epochs = positions // count
    orders = {epoch: np.random.default_rng((settings.seed, 1, epoch)).permutation(count) for epoch in set(epochs)}
    index = np.array([orders[epoch][position % count] for epoch, position in zip(epochs, positions, strict=True)])
    rng = np.random.default_rng((settings.seed, 2, step))
    batch = arrays.take(index)
    if settings.mirror:
        batch = batch.mirrored(rng.random(size) < 0.5)
    return batch, rng.random(size) >= settings.history_dropout


def _learning_rate(settings: TrainSettings, step: int) -> float:
    warm_up = max(1, round(WARM_UP_SHARE * settings.steps))
    if step < warm_up:
        return settings.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, settings.steps - warm_up)
    return settings.learning_rate * 0.5 * (1 + float(np.cos(np.pi * done)))


def _new_planner(settings: TrainSettings, arrays: SampleArrays) -> CameraPlanner:
    with _WEIGHTS_LOCK, torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        planner = CameraPlanner(settings.planner, history=settings.history_dropout < 1)
    spread = residual_spread(arrays.past, arrays.future, arrays.future_valid)
    planner.residual_scale.copy_(torch.from_numpy(spread))
    return planner


def _optimizer(planner: CameraPlanner, settings: TrainSettings) -> torch.optim.AdamW:
    matrices = [parameter for parameter in planner.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in planner.parameters() if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _training_arrays(
    log: DriveLog, settings: TrainSettings, progress: ProgressCallback | None
) -> tuple[SampleArrays, dict[str, int]]:
    skipped: dict[str, int] = {}
    total = count_frames(log)

    def usable():  # noqa: ANN202
        for done, item in enumerate(samples_from_log(log, settings.planner.cameras), start=1):
            if progress is not None:
                progress("read samples", done, total)
            if isinstance(item, PlannerSample) and item.future_valid.all():
                yield item
                continue
            reason = "missing_future" if isinstance(item, PlannerSample) else item.reason
            skipped[reason] = skipped.get(reason, 0) + 1

    try:
        return as_arrays(usable(), settings.planner), skipped
    except ValueError as error:
        raise StageError(f"{log.root} has no frame to train on (skipped: {skipped}): {error}") from error


def _hash(log: DriveLog, settings: TrainSettings) -> str:
    """Hash of settings and of the tables that the training reads."""
    digest = hashlib.sha256(settings_hash(settings).encode())
    for segment in log.segments:
        sha256 = log.completion(segment).sha256
        for component in ("camera_image", "camera_calibration", "vehicle_pose", "ego_intent"):
            digest.update(f"{segment}/{component}/{sha256.get(component)}".encode())
    return digest.hexdigest()


def _finished(out: Path, config_hash: str) -> TrainSummary:
    (out / CHECKPOINT).unlink(missing_ok=True)
    summary = TrainSummary(**json.loads((out / MARKER).read_text()))
    if summary.config_hash != config_hash:
        raise UsageError(f"{out} holds a planner trained with other settings or on another log; give another folder.")
    return summary
