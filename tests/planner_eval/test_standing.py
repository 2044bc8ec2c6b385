"""Choices and ratios of a study, from values with known answers."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import SampleKey
from planner_eval.bootstrap import SegmentBootstrap
from planner_eval.comparison import compared
from planner_eval.config import EvaluateSettings
from planner_eval.metrics import METRICS
from planner_eval.result import ArmResult, EvaluationResult, Truth
from planner_eval.study import Choice, choose, standing

SEGMENTS, FRAMES, SEEDS = 20, 5, 3
RATES = {"source": 0.2, "weak": 0.3, "treated": 0.6, "ceiling": 0.8}


def result(rates=RATES, ade=None, seeds=SEEDS):
    """Arms whose success is decided frame by frame alike: an easy frame is one for all."""
    count = SEGMENTS * FRAMES
    difficulty = np.random.default_rng(0).permutation(np.arange(count) / count)
    keys = tuple(SampleKey("log", f"segment-{i // FRAMES}", i) for i in range(count))
    future = np.zeros((count, 20, 2))
    truth = Truth(
        keys, ("",) * count, np.zeros((count, 16, 6)), np.zeros(count, int), future,
        np.ones((count, 20), bool), ("",) * count, ("",) * count,
    )  # fmt: skip
    arms = []
    for name, rate in rates.items():
        values = {metric: np.full((seeds, count), np.nan) for metric in METRICS}
        values["success_rate"][:] = difficulty < rate
        values["ade_5s"][:] = (ade or {}).get(name, 10 * (1 - rate))
        values["fde_5s"][:] = 2.0
        arms.append(ArmResult(name, name, tuple(range(seeds)), np.zeros((seeds, count, 20, 2)), values))
    settings = EvaluateSettings(resamples=500)
    return EvaluationResult("test", "source", settings.model_dump(mode="json"), truth, compared(arms, truth, settings))


def test_the_way_to_the_ceiling_is_what_the_rates_say():
    found = standing(result(), "treated", "ceiling", ["weak"])
    assert found.way["success_rate"].mean == pytest.approx((0.6 - 0.2) / (0.8 - 0.2))
    assert found.relative["success_rate"].mean == pytest.approx(2.0)
    assert found.relative["ade_5s"].mean == pytest.approx((4 - 8) / 8)
    assert found.to_ceiling["success_rate"].mean == pytest.approx(0.2)
    assert found.rivals["weak"]["success_rate"].mean == pytest.approx(0.3)
    interval = found.way["success_rate"]
    assert interval.low < interval.mean < interval.high


def test_the_ceiling_itself_is_all_of_the_way():
    way = standing(result(), "ceiling", "ceiling", []).way["success_rate"]
    assert (way.mean, way.low, way.high) == (1, 1, 1)


def test_a_ratio_without_denominator_has_no_value_and_stays_json():
    found = standing(result(RATES | {"source": 0.0}), "treated", "ceiling", ["weak"])
    assert found.relative["success_rate"].mean is None
    json.dumps(asdict(found), allow_nan=False)


def test_combining_one_arm_is_its_mean():
    values = np.random.default_rng(1).random((2, 30))
    segments = [f"s{i // 3}" for i in range(30)]
    bootstrap = SegmentBootstrap(resamples=300)
    assert bootstrap.combined([values], lambda mean: mean, segments) == bootstrap.mean(values, segments)


def test_the_best_on_validation_is_chosen_and_kept_as_json():
    choice = choose(result(), "knob", ["weak", "treated"])
    assert choice.arm == "treated"
    assert Choice.from_json(json.loads(json.dumps(choice.as_json()))) == choice


def test_equal_success_is_decided_by_the_error():
    equal = result({"source": 0.2, "a": 0.5, "b": 0.5}, ade={"a": 3.0, "b": 2.0})
    assert choose(equal, "knob", ["a", "b"]).arm == "b"


def test_an_arm_that_was_not_scored_cannot_be_chosen():
    with pytest.raises(UsageError, match="no arm 'absent'"):
        choose(result(), "knob", ["absent"])
