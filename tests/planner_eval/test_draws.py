"""Several draws of every picture: each epoch learns from the next, and nothing else of a training changes."""

from dataclasses import fields, replace

import numpy as np
import pytest
from synthetic import DAY, DUSK, write_log

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError
from phipd_sim2real.run_training import Training, train_side_by_side
from planner_eval.config import AugmentSettings
from planner_eval.train import _training_arrays, train_planner
from planner_eval.trainer import Trainer, sample_order


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """The drives of `day_log`, painted otherwise."""
    colours = dict(zip(DAY, DUSK.values(), strict=True))
    return DriveLog(write_log(tmp_path_factory.mktemp("logs") / "redrawn", segments=6, colours=colours, period=4))


@pytest.fixture
def settings(tiny_settings):
    return tiny_settings.model_copy(update={"augment": AugmentSettings(mirror=False, jitter=None), "batch_size": 5})


def test_each_epoch_learns_from_the_next_draw(day_log, settings, tmp_path):
    arrays, _ = _training_arrays(day_log, settings, None)
    draws = [replace(arrays, images=np.full_like(arrays.images, draw)) for draw in range(3)]
    once, several = (Trainer(given, settings, tmp_path / "none", "hash") for given in (draws[:1], draws))
    seen = set()
    for step in range(4 * len(arrays) // settings.batch_size):
        (batch, use_history), (alone, alone_use_history) = several._batch(step), once._batch(step)
        _, epochs = sample_order(len(arrays), settings, step)
        assert (batch.images == (epochs % 3)[:, None, None, None, None]).all()
        for field in fields(batch):
            if field.name != "images":
                np.testing.assert_array_equal(getattr(batch, field.name), getattr(alone, field.name))
        np.testing.assert_array_equal(use_history, alone_use_history)
        seen.add(tuple(np.unique(epochs)))
    assert {(0,), (0, 1), (1, 2), (2, 3)} <= seen, "some batches lie in one epoch, some across the end of one"


def test_a_draw_given_twice_is_the_draw_alone(day_log, settings, tmp_path):
    alone = train_planner(day_log, settings, tmp_path / "alone")
    twice = train_planner(day_log, settings, tmp_path / "twice", redraws=[day_log])
    assert (twice.weights_sha256, twice.samples) == (alone.weights_sha256, alone.samples)


def test_draws_are_part_of_what_a_planner_was_trained_on(day_log, redrawn, settings, tmp_path):
    many = settings.model_copy(update={"steps": 40})  # more than an epoch
    alone = train_planner(day_log, many, tmp_path / "alone")
    both = train_planner(day_log, many, tmp_path / "both", redraws=[redrawn])
    assert both.samples == alone.samples < many.steps * many.batch_size
    assert both.weights_sha256 != alone.weights_sha256
    with pytest.raises(UsageError, match="other settings or on another log"):
        train_planner(day_log, many, tmp_path / "both")


def test_draws_in_processes_of_their_own_are_those_of_the_caller(day_log, redrawn, settings, tmp_path):
    many = settings.model_copy(update={"steps": 40})
    trainings = [Training((day_log.root, redrawn.root), many, tmp_path / name) for name in ("left", "right")]
    train_side_by_side(trainings, 1, 2, lambda *_: None)
    alone = train_planner(day_log, many, tmp_path / "alone", redraws=[redrawn])
    assert [train_planner(day_log, many, each.out, redraws=[redrawn]) for each in trainings] == [alone, alone]


def test_a_redraw_of_other_frames_is_refused(day_log, dusk_log, settings, tmp_path):
    with pytest.raises(UsageError, match=r"dusk has other frames than .*day"):
        train_planner(day_log, settings, tmp_path / "planner", redraws=[dusk_log])
    assert not (tmp_path / "planner").exists()
