"""Planners trained at once, in processes of their own."""

from dataclasses import replace

from phipd_sim2real.run_training import Training, train_side_by_side
from planner_eval.train import train_planner


def test_as_many_as_asked_are_trained_to_the_bytes_they_get_alone(day_log, tiny_settings, tmp_path):
    settings = tiny_settings.model_copy(update={"steps": 2})
    trainings = [Training((day_log.root,), settings, tmp_path / name) for name in ("left", "right")]
    done = []
    train_side_by_side(trainings, 1, 2, lambda label, trained, total: done.append((label, trained, total)))
    assert done == [("planners trained", count, 2) for count in range(3)]
    alone = train_planner(day_log, settings, tmp_path / "alone")
    assert [train_planner(day_log, settings, training.out) for training in trainings] == [alone, alone]


def test_one_at_a_time_is_left_to_the_caller(day_log, tiny_settings, tmp_path):
    training = Training((day_log.root,), tiny_settings, tmp_path / "only")
    train_side_by_side([training, replace(training, out=tmp_path / "next")], 1, 1, lambda *_: None)
    assert not any(tmp_path.iterdir())
