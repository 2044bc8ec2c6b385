"""A whole study at tiny size: equal arms, choices that never see the test drives, and a report with all of it."""

import json
import shutil
from dataclasses import replace

import pytest
from tiny_run import ROOT
from tiny_study import MAPS, tiny_study
from waymo_frames import frame, write

from phipd_sim2real import files
from phipd_sim2real.drivelog import DriveLog, column
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file
from phipd_sim2real.held_out import perception_segments_at
from phipd_sim2real.preparation import Step
from phipd_sim2real.quality.reference import Reference
from phipd_sim2real.run_settings import EvaluationData
from phipd_sim2real.settings import load_settings
from phipd_sim2real.study import CHOICES, Study
from phipd_sim2real.study_report import not_run, study_section
from phipd_sim2real.study_settings import StudySettings
from planner_eval.baselines import BASELINES
from planner_eval.report.study_section import study_context


def quiet(label, done, total):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        settings = tiny_study(folder)
        chosen_before = chosen_without_test_drives(settings, folder / "run")
        result = Study(settings, folder / "run", quiet).everything()
    return settings, folder / "run", result, chosen_before


def chosen_without_test_drives(settings, folder):
    """Chooses before a single test drive exists."""
    study = Study(settings, folder, quiet)
    study.choose()
    assert not (folder / "logs" / "target").exists()
    return (folder / CHOICES).read_bytes()


def test_nothing_of_the_test_drives_is_seen_before_the_choice(finished):
    """Gating and choosing ended before the first test drive was captured, and nothing of it moved since."""
    _, folder, _, chosen_before = finished
    assert (folder / CHOICES).read_bytes() == chosen_before
    parts = [*(folder / "enhanced").rglob("*"), *(folder / "planners").glob("*/seed-0/*")]
    written = max(path.stat().st_mtime_ns for path in parts)
    assert written < min(path.stat().st_mtime_ns for path in (folder / "logs/target").rglob("*.parquet"))


def test_every_arm_has_the_same_drives_samples_and_steps(finished):
    settings, folder, _, _ = finished
    trained = {
        name: json.loads((folder / f"planners/{name}/seed-0/training.json").read_text()) for name in settings.arms
    }
    assert {found["steps"] for found in trained.values()} == {settings.train.steps}
    assert len({found["samples"] for name, found in trained.items() if name != "gated"}) == 1
    source, oracle = DriveLog(folder / "logs/source"), DriveLog(folder / "logs/oracle")
    for first, second in zip(source.segments, oracle.segments, strict=True):
        assert (
            source.table("vehicle_pose", first)
            .iloc[:, 1:]
            .map(str)
            .equals(oracle.table("vehicle_pose", second).iloc[:, 1:].map(str))
        )


def test_only_the_chosen_are_trained_with_every_seed(finished):
    settings, folder, _, _ = finished
    chosen = json.loads((folder / CHOICES).read_text())["choices"]["phi-pd"]["arm"]
    trained = {path.name: {seed.name for seed in path.iterdir()} for path in (folder / "planners").iterdir()}
    assert trained.keys() == settings.arms.keys()
    for name, seeds in trained.items():
        is_loser = name in settings.choices["phi-pd"] and name != chosen
        assert seeds == ({"seed-0"} if is_loser else {"seed-0", "seed-1"})


def test_arms_that_are_made_alike_share_their_pictures(finished):
    _, folder, _, _ = finished
    assert not (folder / "enhanced" / "augmented").exists()


def test_an_enhanced_arm_may_be_recoloured_afterwards(finished):
    settings, folder, _, _ = finished
    recoloured, enhanced = (DriveLog(folder / f"enhanced/phi-pd-{name}") for name in ("recoloured", "0.3"))
    assert recoloured.provenance.source_log["config_hash"] == enhanced.provenance.config_hash
    segment = enhanced.segments[0]
    tables = (log.table("camera_image", segment, ["key.frame_timestamp_micros"]) for log in (recoloured, enhanced))
    assert next(tables).equals(next(tables))
    assert not (folder / "ungated" / "phi-pd-recoloured").exists()
    assert settings.arms["phi-pd-recoloured"].description.endswith(
        "cutoff 0.3 cycles/px, strength 1, recoloured (histogram)"
    )


def test_an_arm_may_have_its_pictures_drawn_several_times(finished):
    settings, folder, _, _ = finished
    draws = [DriveLog(folder / stage / "phi-pd-drawn-twice") for stage in ("enhanced", "enhanced-1")]
    made = [[step.seed for step in log.provenance.lineage[:2]] for log in draws]
    assert made == [[0, 5], [1, 6]], "seeds of colours and of noise"
    segment = draws[0].segments[0]
    first, second = (log.table("camera_image", segment) for log in draws)
    image = column("camera_image", "image")
    assert first.drop(columns=image).equals(second.drop(columns=image))
    assert not (first[image] == second[image]).any()
    assert not (folder / "enhanced-2").exists()
    assert settings.arms["phi-pd-drawn-twice"].description.endswith("recoloured (histogram), 2 draws of each picture")
    behind = json.loads((folder / "report/provenance.json").read_text())
    told = [behind[f"pictures/phi-pd-drawn-twice{draw}"] for draw in ("", "/draw-1")]
    assert [made["config_hash"] for made in told] == [log.provenance.config_hash for log in draws]


def test_pictures_that_wait_for_colours_are_made_once_for_all_arms(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = tiny_study(tmp_path)
    recoloured = settings.arms["phi-pd-recoloured"]
    enhanced = recoloured.enhance.model_copy(update={"seed": 9})
    arms = {
        "warm": recoloured.model_copy(update={"enhance": enhanced}),
        "cold": recoloured.model_copy(update={"enhance": enhanced, "recolour": "reinhard"}),
    }
    study = Study(settings.model_copy(update={"arms": settings.arms | arms}), tmp_path / "run", quiet)
    first, second = (study.pictures(name).provenance.source_log["path"] for name in arms)
    assert first == second == "../../ungated/warm"


def test_the_report_says_where_the_treated_arm_stands(finished):
    settings, folder, _, _ = finished
    report = json.loads((folder / "report/report.json").read_text())
    study = report["study"]
    assert study["choices"][0]["arm"] == report["headline"]["treated"] in settings.choices["phi-pd"]
    assert set(study["standing"]["rivals"]) == set(settings.rivals)
    assert {"way", "relative", "to_ceiling"} <= set(study["standing"])
    assert sum(study["gate"]["gated"].values()) == study["training_samples"]["source"]
    driven = [arm["name"] for arm in study["closed_loop"]["arms"]]
    assert driven == [*BASELINES, "ego-only", "source", study["choices"][0]["arm"], "target"]
    told = " ".join(report["not_run"])
    assert "Trained with fewer than 3 seeds" not in told  # all of them are
    assert "Training was repeated with 2 seed(s)" in told
    assert f"gated ({study['training_samples']['gated']} frames)" in told
    measured = study["picture_measures"]
    assert measured["phi-pd-0.3"]["lane_edge_recall"]["n"] + measured["phi-pd-0.3"]["flow_epe"]["n"] > 0
    page = (folder / "report/report.html").read_text()
    behind = json.loads((folder / "report/provenance.json").read_text())
    assert behind["planners/source/seed-1"]["weights_sha256"] != behind["planners/source/seed-0"]["weights_sha256"]
    assert {"logs/validation", "logs/unlabelled", "pictures/gated", "pictures/phi-pd-recoloured"} <= set(behind)
    assert "Where phi-pd" in page
    assert str(folder) not in page + json.dumps(report)


def test_arms_with_fewer_seeds_are_told(finished, monkeypatch):
    settings, folder, *_ = finished
    monkeypatch.chdir(ROOT)
    study = Study(settings.model_copy(update={"seeds": (0, 1, 2)}), folder, quiet)
    chosen = study.treated_arm()
    losers = [name for name in settings.choices["phi-pd"] if name != chosen]
    (told,) = [sentence for sentence in not_run(study) if "fewer than 3 seeds" in sentence]
    assert told.endswith(f"{', '.join(losers)}.")


def test_the_test_drives_are_scored_after_the_choice_in_whatever_order_it_is_asked(finished, monkeypatch, tmp_path):
    settings, folder, *_ = finished
    monkeypatch.chdir(ROOT)
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation", "report", CHOICES))
    study = Study(settings, tmp_path / "run", quiet)
    study.evaluate()
    assert (tmp_path / "run" / CHOICES).is_file()
    study.report()
    assert (tmp_path / "run/report/report.json").read_bytes() == (folder / "report/report.json").read_bytes()


def test_a_choice_of_one_arm_is_not_told_as_a_choice(finished):
    settings, folder, *_ = finished
    study = Study(settings, folder, quiet)
    section, result = study_section(study), study._evaluation().results()[0]
    choice, colours = section.choices[0], dict.fromkeys(settings.arms, "#000000")
    alone = replace(choice, scores={choice.arm: choice.scores[choice.arm]})
    assert [rows["family"] for rows in study_context(section, result, colours)["choices"]] == ["phi-pd"]
    assert study_context(replace(section, choices=[alone]), result, colours)["choices"] == []


def test_a_second_study_redoes_nothing(finished, monkeypatch):
    settings, folder, result, _ = finished
    monkeypatch.chdir(ROOT)
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert Study(settings, folder, quiet).everything() == result
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == written


def test_a_lost_report_is_made_again_to_the_same_bytes(finished, monkeypatch, tmp_path):
    settings, folder, _, _ = finished
    monkeypatch.chdir(ROOT)
    before = (folder / "report/report.json").read_bytes()
    shutil.rmtree(folder / "report")
    Study(settings, folder, quiet).report()
    assert (folder / "report/report.json").read_bytes() == before


def test_weights_are_hashed_once_until_they_change(finished, monkeypatch, tmp_path):
    settings, folder, _, _ = finished
    monkeypatch.chdir(ROOT)
    hashed = []
    monkeypatch.setattr(files, "sha256_file", lambda path: hashed.append(path) or sha256_file(path))
    files._sha256_of_state.cache_clear()
    for _ in range(2):
        Study(settings, folder, quiet).choose()
    assert sorted(hashed) == sorted(folder / f"planners/{name}/seed-0/model.safetensors" for name in settings.arms)
    study, weights = Study(settings, folder, quiet), folder / "planners/source/seed-0/model.safetensors"
    before, kept = study.weights_sha256("source", 0), shutil.copy2(weights, tmp_path)
    shutil.copy2(folder / "planners/sdedit/seed-0/model.safetensors", weights)
    found = study.weights_sha256("source", 0)
    assert found == study.weights_sha256("sdedit", 0) != before, "what training.json says of other weights is no proof"
    shutil.copy2(kept, weights)
    assert study.weights_sha256("source", 0) == before


def test_the_target_look_is_gathered_once_and_only_where_an_arm_is_not_measured(finished, monkeypatch):
    settings, folder, _, _ = finished
    monkeypatch.chdir(ROOT)
    pictures, read = Reference.pictures, []
    monkeypatch.setattr(Reference, "pictures", lambda *given: read.append(given[1:]) or pictures(*given))
    files = [folder / f"measures/{name}.json" for name in ("sdedit", "reinhard")]
    before = [path.read_bytes() for path in files]
    found = Study(settings, folder, quiet).picture_measures()
    assert read == []
    for path in files:
        path.unlink()
    assert Study(settings, folder, quiet).picture_measures() == found
    assert [path.read_bytes() for path in files] == before
    assert len(read) == 1


def test_drives_are_held_out_by_name_where_they_have_no_maps(finished, monkeypatch, tmp_path):
    """One folder of recorded drives under three names."""
    settings, folder, *_ = finished
    monkeypatch.chdir(ROOT)
    recorded = shutil.copytree(folder / "logs/target", tmp_path / "recorded")
    provenance = json.loads((recorded / "provenance.json").read_text())
    del provenance["config"]["maps"]
    (recorded / "provenance.json").write_text(json.dumps(provenance))
    captures = {name: capture for name, capture in settings.capture.items() if name in ("source", "validation")}
    logs = {"target": recorded, "oracle": recorded, "unlabelled": folder / "logs/unlabelled"}
    study = Study(settings.model_copy(update={"capture": captures, "logs": logs}), tmp_path / "run", quiet)
    assert study.log("unlabelled").segments
    with pytest.raises(UsageError, match=r"recorded and the test drives share .*; test and choose on other drives"):
        study.log("oracle")
    perception = settings.model_copy(update={"evaluation": EvaluationData(perception=str(recorded)), "logs": logs})
    with pytest.raises(UsageError, match="and the test drives share"):
        Study(perception.model_copy(update={"capture": captures}), tmp_path / "other", quiet).log("oracle")


def test_drives_are_held_out_by_every_name_in_a_file(tmp_path):
    bare = frame(0, "segment-a")
    bare.ClearField("pose")
    frames = [bare, frame(1, "segment-a"), frame(2, "segment-b")]
    write(tmp_path / "a.tfrecord", frames)
    write(tmp_path / "c.tfrecord", [frame(0, "segment-c")])
    assert perception_segments_at(str(tmp_path)) == {"segment-a", "segment-b", "segment-c"}


def test_held_out_drives_may_be_captured_by_a_step(finished, monkeypatch, tmp_path):
    settings, *_ = finished
    monkeypatch.chdir(ROOT)
    (tmp_path / "capture.yaml").write_text(
        "name: more\ncapture: {validation: {name: more, maps: [Valley01], segments: 1, seconds: 5}}"
    )
    step = Step(capture=tmp_path / "capture.yaml", out=tmp_path / "made")
    captures = {name: capture for name, capture in settings.capture.items() if name != "validation"}
    logs = {"validation": tmp_path / "made/logs/validation"}
    changes = {"capture": captures, "logs": logs, "prepare": (step,)}
    study = Study(settings.model_copy(update=changes), tmp_path / "run", quiet)
    for held_out in (study._tested, study._chosen_on):
        held_out.require_apart_from_step(step)
    assert study._chosen_on.maps == {"Valley01"}


def test_an_unknown_model_is_told_before_anything_is_captured(finished, monkeypatch, tmp_path):
    settings, *_ = finished
    monkeypatch.chdir(ROOT)
    enhance = settings.arms["sdedit"].enhance.model_copy(update={"model": "no-such-model"})
    arms = settings.arms | {"sdedit": settings.arms["sdedit"].model_copy(update={"enhance": enhance})}
    with pytest.raises(UsageError, match="no-such-model"):
        Study(settings.model_copy(update={"arms": arms}), tmp_path / "run", quiet).evaluate()
    assert not (tmp_path / "run/logs").exists()


@pytest.mark.parametrize("held_out", ["target", "validation"])
def test_nothing_is_fitted_on_drives_that_are_held_out(finished, monkeypatch, tmp_path, held_out):
    settings, folder, *_ = finished
    monkeypatch.chdir(ROOT)
    (tmp_path / "fit.yaml").write_text(f"data: {folder / 'logs' / held_out}")
    (tmp_path / "capture.yaml").write_text(
        f"name: more\ncapture: {{more: {{name: more, maps: [{MAPS[held_out]}], segments: 1, seconds: 5}}}}"
    )
    for kind in ("fit", "capture"):
        step = Step.model_validate({kind: tmp_path / f"{kind}.yaml", "out": tmp_path / "made"})
        with pytest.raises(UsageError, match=f"share {MAPS[held_out]}; test and choose on other maps"):
            Study(settings.model_copy(update={"prepare": (step,)}), tmp_path / "run", quiet).prepare()
    assert not (tmp_path / "made").exists()


def test_a_log_given_as_a_folder_may_not_share_a_map_with_the_test_drives(finished, monkeypatch, tmp_path):
    settings, folder, _, _ = finished
    monkeypatch.chdir(ROOT)
    captures = {name: capture for name, capture in settings.capture.items() if name not in ("target", "unlabelled")}
    logs = {"target": folder / "logs/target", "unlabelled": folder / "logs/target"}
    other = settings.model_copy(update={"capture": captures, "logs": logs})
    with pytest.raises(UsageError, match="share Meadow01"):
        Study(other, tmp_path / "run", quiet).log("unlabelled")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"validation": "target"}, "a log of its own"),
        ({"choices": {"phi-pd": ["phi-pd-9"]}}, "the arms are"),
        ({"treated_choice": "other"}, "the choices are"),
        ({"rivals": ["other"]}, "rivals or driven name"),
        ({"ceiling": "other"}, "ceiling is"),
        ({"choice_seeds": [7]}, "choice_seeds are"),
        ({"rivals": ["phi-pd"]}, "the treated itself"),
        ({"evaluate": {"baseline": "phi-pd-0.1"}}, "one of the treated"),
        ({"unlabelled": "other"}, "unlabelled is"),
        ({"unlabelled": "target"}, "give another log"),
        ({"arms": {"source": {"log": "source", "draws": 2}}}, "captured ones are what they are"),
        ({"arms": {"source": {"log": "source", "enhance": {}, "gate": {}, "draws": 2}}}, "and not gated"),
    ],
)
def test_a_study_that_cannot_work_is_refused(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        tiny_study(tmp_path, **changes)


@pytest.mark.parametrize(("town", "other"), [("Meadow01", "target"), ("Valley01", "validation")])
def test_maps_that_are_held_out_are_no_training_maps(tmp_path, town, other):
    captures = {name: capture.model_dump() for name, capture in tiny_study(tmp_path).capture.items()}
    captures["source"]["maps"] = [town]
    with pytest.raises(ValueError, match=f"{town} is driven in source and in {other}"):
        tiny_study(tmp_path, capture=captures)


@pytest.mark.parametrize("path", sorted((ROOT / "configs/study").glob("*.yaml")), ids=lambda path: path.stem)
def test_study_configurations_load(path):
    assert load_settings(StudySettings, path).treated_choice
