"""Training of the camera planner on one drive log.

The recipe knows nothing of arms: they differ in the pictures of their log alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import settings_hash
from phipd_sim2real.waymo import PlannerSample
from planner_eval.config import TrainSettings
from planner_eval.samples import count_frames, samples_from_log
from planner_eval.tensors import SampleArrays, as_arrays
from planner_eval.trainer import Trainer

MARKER = "training.json"
CHECKPOINT = "checkpoint.safetensors"


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
    log: DriveLog,
    settings: TrainSettings,
    out: Path,
    progress: ProgressCallback | None = None,
    redraws: Sequence[DriveLog] = (),
) -> TrainSummary:
    """Trains a planner on every frame of a log that has a full future.

    Args:
        log: complete drive log; its pictures are decoded once and held at the planner's size.
        settings: model and recipe.
        out: folder for the planner (`CameraPlanner.from_pretrained`); a finished training is not repeated.
        progress: called as progress(label, done, total).
        redraws: the same frames with pictures drawn anew; epoch e learns from draw e modulo their number, the first
            being `log`, so that steps and pictures seen do not depend on it.

    Raises:
        UsageError: `out` holds a training with other settings or data, or a redraw has other frames.
        StageError: the log has no usable frame, or the loss is not finite.
    """
    logs = (log, *redraws)
    config_hash = _hash(logs, settings)
    if (out / MARKER).is_file():
        return _finished(out, config_hash)
    gathered = [_training_arrays(log, settings, progress) for log in logs]
    draws, skipped = [arrays for arrays, _ in gathered], gathered[0][1]
    _require_same_frames(logs, draws)
    with same_bytes(settings.threads):
        trainer = Trainer(draws, settings, out / CHECKPOINT, config_hash)
        trainer.run(progress)
    if trainer.accelerator.is_main_process:
        trainer.average.save_pretrained(out)
        summary = TrainSummary(
            samples=len(draws[0]),
            skipped=skipped,
            steps=settings.steps,
            loss=float(trainer.losses[-max(1, settings.steps // 10) :].mean()),
            config_hash=config_hash,
            weights_sha256=sha256_file(out / "model.safetensors"),
        )
        write_json(out / MARKER, summary.__dict__)
    trainer.accelerator.wait_for_everyone()
    return _finished(out, config_hash)


@contextmanager
def same_bytes(threads: int) -> Iterator[None]:
    """Arithmetic whose sums come in one order: so many threads, and on CUDA none of the algorithms that race."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # it is not read, and filling doubles the kernels
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if torch.cuda.is_available():
            torch.use_deterministic_algorithms(False)
            torch.utils.deterministic.fill_uninitialized_memory = True


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


def _require_same_frames(logs: Sequence[DriveLog], draws: Sequence[SampleArrays]) -> None:
    """Paths tell frames apart, since no two have the same."""
    first = draws[0]
    for log, draw in zip(logs, draws, strict=True):
        if not (np.array_equal(draw.past, first.past) and np.array_equal(draw.future, first.future)):
            raise UsageError(f"{log.root} has other frames than {logs[0].root}; give draws of one log's pictures.")


def _hash(logs: Sequence[DriveLog], settings: TrainSettings) -> str:
    """Hash of settings and of the tables that the training reads."""
    digest = hashlib.sha256(settings_hash(settings).encode())
    for log, segment in ((each, segment) for each in logs for segment in each.segments):
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
