"""Planners trained side by side, in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import StageError
from phipd_sim2real.progress import ProgressCallback

if TYPE_CHECKING:
    from planner_eval.config import TrainSettings


@dataclass(frozen=True)
class Training:
    """One planner to be trained.

    Attributes:
        draws: drive logs that it is trained on: one, or the same frames with pictures drawn several times.
        recipe: of its arm and seed.
        out: its folder.
    """

    draws: tuple[Path, ...]
    recipe: TrainSettings
    out: Path


def train_side_by_side(
    trainings: list[Training], threads: int, at_once: int | None, progress: ProgressCallback
) -> None:
    """Trains several planners at a time, in processes of their own; leaves it to others where only one is wanted.

    Args:
        trainings: those that are not finished.
        threads: of each.
        at_once: how many, at most as many as there are cores for; None takes that many, and one on a GPU.
        progress: called as progress(label, planners done, planners in all).

    Raises:
        StageError: a process was ended from outside.
    """
    import torch

    cores = os.cpu_count() // threads
    at_once = min(len(trainings), cores, at_once or (1 if torch.cuda.is_available() else cores))
    if at_once < 2:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, spawn, _end_with_parent, (os.getpid(),)) as pool:
        futures = [pool.submit(_train_alone, training) for training in trainings]
        progress("planners trained", 0, len(futures))
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress("planners trained", done, len(futures))
        except BrokenProcessPool as error:
            raise StageError(
                "A training was ended from outside, perhaps for want of memory; what is finished is kept. "
                "Run again with fewer planners_at_once, 1 to train one after another."
            ) from error


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after its parent, which may be killed and then tells nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_alone(training: Training) -> None:
    """One training in a process of its own."""
    from planner_eval.train import train_planner

    log, *redraws = map(DriveLog, training.draws)
    train_planner(log, training.recipe, training.out, redraws=redraws)
