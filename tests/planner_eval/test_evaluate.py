"""Evaluation of planners whose plans are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import TINY

from phipd_sim2real.errors import StageError, UsageError
from planner_eval.baselines import ConstantVelocity, StandStill
from planner_eval.config import EvaluateSettings
from planner_eval.evaluate import Arm, evaluate
from planner_eval.planner import CameraPlanner
from planner_eval.plans import Plans
from planner_eval.result import EvaluationResult
from planner_eval.samples import SampleFailure, samples_from_log

SETTINGS = EvaluateSettings(baseline="constant-velocity", resamples=500, batch_size=7)
BEARING = SETTINGS.model_copy(update={"max_failed_share": 0.2})


class Oracle:
    """Drives what happened, shifted sideways."""

    cameras = (1,)

    def __init__(self, aside: float) -> None:
        self.aside = aside

    def plan(self, samples):
        future = np.stack([sample.future for sample in samples])
        return Plans((future + np.array([0.0, self.aside]))[:, None], np.ones((len(samples), 1)))


ARMS = (
    Arm("constant-velocity", "keeps its velocity", (ConstantVelocity(),)),
    Arm("oracle", "drives what happened, nearly", (Oracle(0.1), Oracle(0.3)), seeds=(0, 1)),
    Arm("stand-still", "stays", (StandStill(),)),
)


@pytest.fixture(scope="module")
def result(dusk_samples):
    return evaluate(ARMS, dusk_samples, SETTINGS, "dusk drawing")


def test_scores_of_known_plans(result, dusk_samples):
    oracle = result.arm("oracle")
    assert oracle.scores["ade_5s"].mean == pytest.approx(0.2)
    assert oracle.scores["success_rate"].mean == 1.0
    assert (oracle.scores["ade_5s"].valid, oracle.scores["ade_5s"].segments) == (len(dusk_samples), 4)
    distance = np.mean([np.linalg.norm(sample.future[-1]) for sample in dusk_samples])
    assert result.arm("stand-still").scores["fde_5s"].mean == pytest.approx(distance)
    assert result.arm("oracle").differences["ade_5s"].high < 0
    assert result.arm("constant-velocity").differences == {}


def test_rater_metrics_appear_only_where_raters_exist(result, dusk_samples):
    assert "rfs" not in result.metrics()
    rated = [replace(s, rater_trajectories=(s.future,), rater_scores=(9.0,)) for s in dusk_samples[:5]]
    again = evaluate(ARMS, [*rated, *dusk_samples[5:]], SETTINGS, "rated")
    score = again.arm("oracle").scores["rfs"]
    assert (score.mean, score.valid, score.total) == (9.0, 5, len(dusk_samples))
    assert again.arm("oracle").reasons["rfs"] == {"no_raters": len(dusk_samples) - 5}


def test_save_and_load_give_the_same_result(result, tmp_path):
    result.save(tmp_path / "first")
    loaded = EvaluationResult.load(tmp_path / "first")
    assert loaded.summary() == result.summary()
    np.testing.assert_array_equal(loaded.arm("oracle").plans, result.arm("oracle").plans)
    np.testing.assert_array_equal(loaded.truth.future, result.truth.future)
    loaded.save(tmp_path / "second")
    for name in ("scores.json", "samples.parquet", "plans.parquet"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_failures_are_counted_with_their_reason_and_never_scored(dusk_samples):
    no_picture = replace(dusk_samples[1], images={})
    frames = [SampleFailure(dusk_samples[0].key, "decode_error"), no_picture, *dusk_samples[2:]]
    result = evaluate(ARMS, frames, SETTINGS.model_copy(update={"max_failed_share": 0.5}), "damaged")
    assert result.summary()["failures"] == {"decode_error": 1, "missing_camera": 1}
    score = result.arm("stand-still").scores["fde_5s"]
    assert (score.valid, score.total) == (len(frames) - 2, len(frames))
    assert result.arm("stand-still").reasons["fde_5s"] == {"decode_error": 1, "missing_camera": 1}
    with pytest.raises(StageError, match="2 failed"):
        evaluate(ARMS, frames, SETTINGS, "damaged")


def test_a_short_future_is_scored_as_far_as_it_goes(dusk_samples):
    valid = np.arange(20) < 12
    short = replace(
        dusk_samples[0], future=np.where(valid[:, None], dusk_samples[0].future, np.nan), future_valid=valid
    )
    result = evaluate(ARMS, [short, *dusk_samples[1:]], BEARING, "short")
    assert result.arm("stand-still").scores["ade_3s"].valid == len(dusk_samples)
    assert result.arm("stand-still").scores["ade_5s"].valid == len(dusk_samples) - 1


def test_a_plan_that_is_not_finite_is_a_failure_of_its_arm_only(dusk_samples):
    class Broken(Oracle):
        def plan(self, samples):
            plans = super().plan(samples)
            plans.trajectories[0] = np.nan
            return plans

    arms = [ARMS[0], Arm("broken", "", (Broken(0.0),))]
    result = evaluate(arms, dusk_samples[:7], BEARING, "broken")
    assert result.arm("broken").reasons["ade_5s"] == {"plan_not_finite": 1}
    assert result.arm("constant-velocity").scores["ade_5s"].valid == 7
    assert result.arm("broken").differences["ade_5s"].valid == 6
    with pytest.raises(StageError, match="broken gave plans that are not finite for 1 of 7 frames"):
        evaluate(arms, dusk_samples[:7], SETTINGS, "broken")


def test_arms_need_names_of_their_own_and_a_baseline(dusk_samples):
    with pytest.raises(UsageError, match="baseline"):
        evaluate(ARMS[1:], dusk_samples, SETTINGS, "x")
    with pytest.raises(UsageError, match="name of its own"):
        evaluate([*ARMS, ARMS[0]], dusk_samples, SETTINGS, "x")


def test_camera_planner_is_evaluated_from_a_log(dusk_log):
    arms = [ARMS[0], Arm("camera", "untrained", (CameraPlanner(TINY),), seeds=(0,))]
    seen = []
    result = evaluate(arms, samples_from_log(dusk_log), SETTINGS, "dusk", progress=lambda *call: seen.append(call))
    assert result.arm("camera").scores["ade_5s"].valid == len(result.truth.keys) > 0
    assert seen[-1][1] == len(result.truth.keys)


def test_end_to_end_records_give_the_same_scores_as_their_log(dusk_log, dusk_samples, tmp_path):
    pytest.importorskip("waymo_open_dataset.protos.end_to_end_driving_data_pb2", reason="needs Waymo's protos")
    from phipd_sim2real.waymo import drivelog_jpegs, e2e_samples, write_e2e

    write_e2e(tmp_path / "dusk.tfrecord", dusk_samples, jpegs=drivelog_jpegs(dusk_log))
    torch.manual_seed(0)
    arms = [ARMS[0], Arm("camera", "untrained", (CameraPlanner(TINY),), seeds=(0,))]
    records = evaluate(arms, e2e_samples(tmp_path / "dusk.tfrecord"), SETTINGS, "records")
    log = evaluate(arms, dusk_samples, SETTINGS, "log")
    assert records.summary()["arms"] == log.summary()["arms"]
    assert len(set(records.truth.segments)) == len(dusk_log.segments)
