"""Parts of the frames: their borders, their scores and their tables."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from phipd_sim2real.waymo import PlannerSample, SampleKey
from planner_eval.baselines import BASELINES
from planner_eval.buckets import bucket_labels, bucket_names, path_curvature
from planner_eval.config import BucketSettings, EvaluateSettings
from planner_eval.evaluate import Arm, evaluate
from planner_eval.metrics import METRICS
from planner_eval.plans import TIMES_S
from planner_eval.report.bucket_plot import bucket_plot
from planner_eval.report.bucket_table import bucket_table
from planner_eval.result import EvaluationResult

ARMS = tuple(Arm(name, "floor", (planner(),)) for name, planner in BASELINES.items())


def arc(radius: float, speed: float = 8.0) -> np.ndarray:
    angle = speed * TIMES_S / radius
    return radius * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)


def test_curvature_is_that_of_the_circle_and_unknown_for_a_car_that_stands():
    paths = np.stack([arc(25.0), arc(-80.0), arc(1e9), np.zeros((20, 2)), np.full((20, 2), np.nan)])
    # The last step's direction is half a step short of the end.
    np.testing.assert_allclose(path_curvature(paths)[:3], np.array([1 / 25, 1 / 80, 0]) * 39 / 40, rtol=1e-3, atol=1e-6)
    assert np.isnan(path_curvature(paths)[3:]).all()


def drives(segments: int = 6, frames: int = 4) -> list[PlannerSample]:
    """Half of the segments stand and turn nowhere, half drive on arcs of 40 m."""
    rng = np.random.default_rng(0)
    made = []
    for segment in range(segments):
        speed = 0.0 if segment % 2 else 6.0 + rng.uniform(0, 2)
        for frame in range(frames):
            angle = np.arange(-15, 21) * 0.25 * speed / 40.0
            track = 40.0 * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
            heading = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            past = np.concatenate([track, speed * heading, np.zeros((36, 2))], axis=1)[:16]
            key = SampleKey("log", f"drive-{segment}", frame)
            sample = PlannerSample(key, {}, {}, past, 2 if speed else 1, track[16:], np.ones(20, bool))
            made.append(replace(sample, time_of_day="Night" if segment == 0 else "Day", cluster=f"c{segment % 3}"))
    return made


@pytest.fixture(scope="module")
def result() -> EvaluationResult:
    settings = EvaluateSettings(baseline="stand-still", resamples=300, buckets=BucketSettings(min_segments=3))
    return evaluate(ARMS, drives(), settings, "drawn drives")


def test_every_frame_is_in_its_buckets(result):
    labels = bucket_labels(result.truth, BucketSettings())
    assert labels["speed"][:8] == ("5 to 10 m/s",) * 4 + ("below 0.5 m/s",) * 4
    assert labels["intent"][:8] == ("left",) * 4 + ("straight",) * 4
    assert labels["curvature"][:8] == ("from 0.02 1/m",) * 4 + ("",) * 4
    assert set(labels["time_of_day"]) == {"Day", "Night"}
    assert bucket_labels(result.truth, BucketSettings(axes=("speed",))).keys() == {"speed"}


def test_buckets_are_scored_like_a_whole_of_their_own(result):
    arm = result.arm("constant-velocity")
    standing = arm.buckets["speed"]["below 0.5 m/s"]
    assert standing.scores["ade_5s"].mean == 0.0
    assert (standing.scores["ade_5s"].valid, standing.scores["ade_5s"].segments) == (12, 3)
    moving = arm.buckets["speed"]["5 to 10 m/s"]
    assert moving.scores["ade_5s"].mean == pytest.approx(np.nanmean(arm.values["ade_5s"][0].reshape(6, 4)[::2]))
    assert moving.differences["ade_5s"].high < 0
    assert result.arm("stand-still").buckets["speed"]["5 to 10 m/s"].differences == {}
    assert "rfs" not in moving.scores
    assert set(arm.buckets["cluster"]) == {"c0", "c1", "c2"}


def test_floors_land_in_their_order(result):
    """Truth is a circle or a stop: only the arm that knows the turn rate follows both."""
    errors = [result.arm(name).scores["ade_5s"].mean for name in BASELINES]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01
    success = [result.arm(name).scores["success_rate"].mean for name in BASELINES]
    assert success == [0.5, 0.5, 1.0]
    assert result.arm("stand-still").scores["comfort_rate"].mean == 0.5


def test_floors_land_in_their_order_on_a_winding_road(dusk_samples):
    settings = EvaluateSettings(baseline="stand-still", resamples=200)
    scores = evaluate(ARMS, dusk_samples, settings, "dusk")
    still, velocity = (scores.arm(name).scores for name in ("stand-still", "constant-velocity"))
    for metric in ("ade_1s", "ade_3s", "ade_5s", "fde_5s"):
        assert still[metric].mean > 2 * velocity[metric].mean
    assert still["ade_5s"].mean == pytest.approx(26.25, rel=0.03)  # 10 m/s: the mean of 2.5 m to 50 m, less the bends


def test_the_rater_feedback_score_is_the_mean_of_the_clusters():
    rated = [
        replace(sample, rater_trajectories=(sample.future,), rater_scores=(9.0 if sample.cluster == "c0" else 6.0,))
        for sample in drives()
        if sample.cluster != "c1" or sample.key.timestamp_micros == 0
    ]
    arm = evaluate(ARMS, rated, EvaluateSettings(baseline="stand-still", resamples=100), "rated").arms[2]
    assert arm.scores["rfs"].mean == pytest.approx((9.0 + 6.0 + 6.0) / 3)
    assert [scores.scores["rfs"].mean for scores in arm.buckets["cluster"].values()] == [9.0, 6.0, 6.0]


def test_results_with_buckets_survive_the_disk(result, tmp_path):
    result.save(tmp_path)
    loaded = EvaluationResult.load(tmp_path)
    assert loaded.summary() == result.summary()
    assert loaded.arm("constant-velocity").buckets == result.arm("constant-velocity").buckets
    assert loaded.truth.times_of_day == result.truth.times_of_day


def test_buckets_stand_in_the_order_of_their_axis():
    settings = BucketSettings()
    speeds = ("from 10 m/s", "5 to 10 m/s", "below 0.5 m/s", "0.5 to 5 m/s", "")
    assert bucket_names(speeds, "speed", settings) == ("below 0.5 m/s", "0.5 to 5 m/s", "5 to 10 m/s", "from 10 m/s")
    curvatures = ("from 0.02 1/m", "0.005 to 0.02 1/m", "below 0.005 1/m")
    assert bucket_names(curvatures, "curvature", settings) == curvatures[::-1]
    assert bucket_names(("right", "left", "straight"), "intent", settings) == ("straight", "left", "right")
    times = ("Noon", "Night", "Day", "Dawn/Dusk")
    assert bucket_names(times, "time_of_day", settings) == ("Dawn/Dusk", "Day", "Night", "Noon")
    clusters = ("Cut_ins", "Others", "Cyclist", "Interections")
    assert bucket_names(clusters, "cluster", settings) == ("Interections", "Cyclist", "Cut_ins", "Others")


def test_files_tables_and_plots_keep_the_order_of_the_buckets(result, tmp_path):
    expected = {
        "speed": ["below 0.5 m/s", "5 to 10 m/s"],
        "intent": ["straight", "left"],
        "curvature": ["from 0.02 1/m"],
        "time_of_day": ["Day", "Night"],
        "cluster": ["c0", "c1", "c2"],
    }

    def order(buckets):
        return [(axis, list(names)) for axis, names in buckets.items()]

    result.save(tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert order(scores["arms"][0]["buckets"]) == list(expected.items())
    (tmp_path / "scores.json").write_text(json.dumps(scores, sort_keys=True))  # names may stand in any order in JSON
    loaded = EvaluationResult.load(tmp_path)
    assert [order(arm.buckets) for arm in loaded.arms] == [list(expected.items())] * len(ARMS)
    lines = [line.split("  ")[0] for line in bucket_table(loaded, "ade_5s").splitlines()[1:] if line]
    assert lines == [name for axis, names in expected.items() for name in (axis, *names)]
    plot = bucket_plot(loaded, [ARMS[0].name], {ARMS[0].name: "black"})
    shown = [plot.index(f"<!-- {name} -->") for axis in expected for name in expected[axis] if len(expected[axis]) > 1]
    assert shown == sorted(shown)


def test_tables_say_where_segments_are_too_few(result):
    lines = bucket_table(result, "ade_5s").splitlines()
    night = next(line for line in lines if line.startswith("Night"))
    assert night.split()[1:3] == ["4/4", "1"]
    assert night.count("insufficient") == len(ARMS)
    assert "insufficient" not in next(line for line in lines if line.startswith("5 to 10 m/s"))
    assert result.arm("stand-still").buckets["time_of_day"]["Night"].scores["ade_5s"].mean > 0


def test_borders_must_rise():
    for edges in ((5.0, 0.5), (0.0, 1.0), ()):
        with pytest.raises(ValidationError):
            BucketSettings(speed_edges_m_s=edges)


def test_names_tell_what_a_metric_is():
    assert [name for name in METRICS if name.startswith("ade")] == [
        "ade_1s", "ade_3s", "ade_5s", "ade_3s_toprater", "ade_5s_toprater",
    ]  # fmt: skip
    assert {metric.unit for metric in METRICS.values()} == {"m", "share", "points"}
