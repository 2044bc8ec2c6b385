"""Synthetic drive logs shared by the planner's tests."""

import pytest
import torch
from synthetic import DAY, DUSK, TINY, write_log

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.waymo import PlannerSample
from planner_eval.config import AugmentSettings, TrainSettings
from planner_eval.samples import samples_from_log


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # tiny models: threads cost more than they bring, above all on a busy machine


@pytest.fixture(scope="session")
def day_log(tmp_path_factory: pytest.TempPathFactory) -> DriveLog:
    return DriveLog(write_log(tmp_path_factory.mktemp("logs") / "day", segments=6, colours=DAY, period=4))


@pytest.fixture(scope="session")
def dusk_log(tmp_path_factory: pytest.TempPathFactory) -> DriveLog:
    root = tmp_path_factory.mktemp("logs") / "dusk"
    return DriveLog(write_log(root, segments=4, colours=DUSK, first_seed=100, period=10))


@pytest.fixture(scope="session")
def dusk_samples(dusk_log: DriveLog) -> list[PlannerSample]:
    return list(samples_from_log(dusk_log))


@pytest.fixture(scope="session")
def tiny_settings() -> TrainSettings:
    augment = AugmentSettings(photometric="strong")
    return TrainSettings(planner=TINY, steps=8, batch_size=4, augment=augment, checkpoint_every=3, seed=1)
