"""`phipd evaluate` on a split of 200 end-to-end records, and a submission for its test split."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from synthetic import DAY, TINY, write_log
from tiny_run import ROOT
from waymo_frames import frame, write

from phipd_sim2real.errors import UsageError
from phipd_sim2real.run import Run
from phipd_sim2real.run_settings import RunSettings
from phipd_sim2real.waymo.import_log import ImportSettings, import_waymo
from phipd_sim2real.waymo.made_split import make_split
from planner_eval.result import EvaluationResult
from planner_eval.submission import read_submission

DETAILS = {
    "account_name": "someone@example.org",
    "method_name": "test",
    "authors": ["A. Tester"],
    "uses_public_model_pretraining": False,
    "num_model_parameters": "20K",
}


def quiet(label, done, total):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    make_split(folder / "val", "val", cameras=(1,))
    make_split(folder / "test", "test", records=20, segments=5, shards=2, cameras=(1,))
    settings = RunSettings.model_validate(
        {
            "name": "records",
            "logs": {"source": write_log(folder / "source", segments=2, colours=DAY)},
            "arms": {"source": {}, "ego-only": {"vision": False}},
            "train": {"planner": TINY.model_dump(), "steps": 3, "batch_size": 4},
            "evaluation": {"records": str(folder / "val" / "val*")},
            "evaluate": {"resamples": 200},
            "submission": {
                "records": str(folder / "test" / "test*"),
                "frames": folder / "test" / "test_sequence_frames_for_submission.json",
                "arm": "source",
                "details": DETAILS,
            },
        }
    )
    return Run(settings, folder / "run", quiet)


@pytest.fixture(scope="module")
def scores(run):
    run.evaluate()
    return EvaluationResult.load(run.folder / "evaluation" / "records")


def test_planners_and_floors_are_scored_on_every_record(scores):
    assert len(scores.truth.keys) == 200
    assert not any(scores.truth.failures)
    names = [arm.name for arm in scores.arms]
    assert {"stand-still", "constant-velocity", "constant-turn-rate-acceleration", "source", "ego-only"} == set(names)


def test_rated_frames_alone_have_a_feedback_score(scores):
    rfs = scores.arm("stand-still").scores["rfs"]
    assert (rfs.valid, rfs.total) == (10, 200)
    assert scores.arm("stand-still").reasons["rfs"] == {"no_raters": 190}


def test_on_circles_at_constant_speed_the_turning_floor_is_right(scores):
    """The driven path is the best-rated; rated paths begin a quarter of a second early, as the dataset's may."""
    turning, straight, still = (
        scores.arm(name).scores for name in ("constant-turn-rate-acceleration", "constant-velocity", "stand-still")
    )
    assert turning["ade_5s"].mean < 0.05 < straight["ade_5s"].mean < still["ade_5s"].mean
    assert turning["success_rate"].mean == 1
    assert turning["rfs"].mean > straight["rfs"].mean > 4
    assert still["rfs"].mean == pytest.approx(4, abs=1)


def test_clusters_are_taken_from_the_list_beside_the_records(scores):
    assert len(set(scores.truth.clusters)) > 1
    assert "cluster" in scores.arm("source").buckets


def test_rated_frames_can_be_scored_alone(run):
    settings = run.settings.model_copy(
        update={"evaluation": run.settings.evaluation.model_copy(update={"rated_only": True})}
    )
    other = Run(settings, run.folder.parent / "rated", quiet)
    assert other.evaluate()["scores"]["frames"] == 10


def test_perception_is_scored_where_it_lies(run, tmp_path):
    """A split of version 2 is a folder of tables; every second of its frames is taken."""
    split = tmp_path / "validation"
    import_waymo(write(tmp_path / "a.tfrecord", [frame(index) for index in range(110)]), split, ImportSettings())
    evaluation = {"perception": str(split), "stride": 2}
    settings = RunSettings.model_validate(run.settings.model_dump() | {"evaluation": evaluation})
    other = Run(settings, run.folder.parent / "perception", quiet)
    scores = other.evaluate()["scores"]
    assert scores["dataset"] == "Waymo Perception validation"
    assert scores["frames"] == 55
    assert scores["metrics"].keys() >= {"ade_5s", "success_rate"}
    assert "rfs" not in scores["metrics"]


def test_perception_records_are_scored_where_they_lie(run, tmp_path):
    write(tmp_path / "drive.tfrecord", [frame(index, shade=index) for index in range(110)])
    evaluation = {"perception": str(tmp_path / "*.tfrecord"), "stride": 1}
    settings = RunSettings.model_validate(run.settings.model_dump() | {"evaluation": evaluation})
    folder = run.folder.parent / "perception records"
    shutil.copytree(run.folder / "planners", folder / "planners")
    Run(settings, folder, quiet).evaluate()
    scores = EvaluationResult.load(folder / "evaluation" / "perception")
    assert len(scores.truth.keys) == 110
    assert scores.truth.failures.count("") == 110 - scores.truth.failures.count("missing_past") == 72
    assert scores.arm("constant-velocity").scores["ade_5s"].mean < 0.05  # the made drive goes straight on


def test_a_submission_has_one_plan_for_every_listed_frame(run, tmp_path):
    written = run.submit(tmp_path / "submission.tar.gz")
    listed = json.loads(run.settings.submission.frames.read_text())
    read = read_submission(tmp_path / "submission.tar.gz")
    assert written["frames"] == len(read.plans) == len(listed) == 5
    assert {name.rsplit("-", 1)[0] for name in read.plans} == set(listed)
    assert read.settings.method_name == "test"


def test_the_command_writes_a_submission(run, tmp_path):
    config, archive = tmp_path / "run.yaml", tmp_path / "plans.tar.gz"
    config.write_text(yaml.safe_dump(run.settings.model_dump(mode="json")))
    run.submit(tmp_path / "before.tar.gz")
    command = [sys.executable, "-m", "phipd_sim2real", "evaluate", "--config", config, "--out", run.folder]
    result = subprocess.run(
        [*command, "--submission", archive], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"5 plans lie in {archive}" in result.stdout
    assert archive.read_bytes() == (tmp_path / "before.tar.gz").read_bytes()


def test_an_absent_shard_is_told_before_a_training(run, tmp_path):
    frames = tmp_path / "frames.json"
    frames.write_text(json.dumps({f"{0:032x}": 17}))
    asked = run.settings.submission.model_copy(update={"frames": frames})
    other = Run(run.settings.model_copy(update={"submission": asked}), tmp_path / "run", quiet)
    with pytest.raises(UsageError, match="1 of 1 frames are in none of the 2 files"):
        other.submit(tmp_path / "submission.tar.gz")
    assert not (tmp_path / "run" / "planners").exists()


def test_a_run_without_a_submission_section_says_so(run, tmp_path):
    other = Run(run.settings.model_copy(update={"submission": None}), run.folder, quiet)
    with pytest.raises(UsageError, match="no submission section"):
        other.submit(tmp_path / "submission.tar.gz")


def test_a_submission_of_an_absent_arm_is_refused(run):
    values = run.settings.model_dump()
    values["submission"]["arm"] = "other"
    with pytest.raises(ValueError, match="the arms are"):
        RunSettings.model_validate(values)
