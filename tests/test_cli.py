"""Bad input gets a sentence and exit code 2 before any work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from phipd_sim2real.waymo import write_records

ROOT = Path(__file__).resolve().parents[1]
DEMO = "configs/demo.yaml"


def phipd(*arguments):
    command = [sys.executable, "-m", "phipd_sim2real", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def assert_refused(result, sentence):
    assert result.returncode == 2, result.stderr
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().startswith("phipd: ")


def test_help_names_every_stage():
    text = phipd("--help").stdout
    for stage in ("doctor", "serve-simulator", "capture", "fit", "enhance", "inspect", "train-planner", "evaluate"):
        assert stage in text


def test_doctor_reports_as_json():
    findings = {finding["name"]: finding for finding in json.loads(phipd("doctor", "--json").stdout)}
    assert findings["python"]["state"] == findings["torch"]["state"] == "ok"
    assert all(finding["mend"] for finding in findings.values() if finding["state"] != "ok")


def test_unknown_option_is_a_usage_error():
    assert phipd("demo", "--fast").returncode == 2


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.stepz=3", "unknown key 'train.stepz' (allowed here: augment, batch_size,"),
        ("train.steps=0", "train.steps"),
        ("evaluation.log=source", "on which an arm is trained"),
        ("arms.phi-pd.log=nowhere", "the logs of this run are source, target"),
        ("arms.phi-pd.enhance.cutoff=-1", "arms.phi-pd.enhance.cutoff"),
        ("seeds=[0,0]", "each may stand there once"),
        ("seeds=[-1]", "seeds.0"),
        ("treated=source", "the baseline is none to compare"),
        ("logs.other=/no/such/log", "/no/such/log"),
        ("train.planner.cameras=[7]", "wants cameras [7]"),
        ("train.steps=[", "not valid YAML"),
        ("evaluate.baseline=none", "the arms are ego-only, source, phi-pd"),
        ("capture.source.maps=[Atlantis]", "Atlantis"),
        ("capture.target.endpoint=localhost:1", "localhost:1"),
    ],
)
def test_a_bad_value_is_refused_before_any_work(tmp_path, override, sentence):
    out = tmp_path / "run"
    result = phipd("demo", "--out", out, override, "capture.source.connect_s=1", "capture.target.connect_s=1")
    assert_refused(result, sentence)
    assert not list(out.glob("logs/*/camera_image/*"))


def test_missing_inputs_are_named(tmp_path):
    assert_refused(phipd("demo", "--config", tmp_path / "no.yaml"), "no.yaml")
    assert_refused(phipd("enhance", tmp_path / "no", "--out", tmp_path / "out"), "cannot be enhanced")
    assert_refused(phipd("inspect", tmp_path / "no"), str(tmp_path / "no"))
    assert_refused(
        phipd(
            "fit", "--config", "configs/models/street-small.yaml", "--out", tmp_path / "m", f"data={tmp_path / 'no'}"
        ),
        str(tmp_path / "no"),
    )


def test_a_truncated_record_ends_the_run_before_any_work_with_its_place(tmp_path):
    path = tmp_path / "val.tfrecord-00000-of-00001"
    write_records(path, [b"first", b"second"])
    path.write_bytes(path.read_bytes()[:-3])
    result = phipd(
        "evaluate", "--config", DEMO, "--out", tmp_path / "run", "evaluation.log=null", f"evaluation.records={path}"
    )
    assert result.returncode == 1
    assert "record 1" in result.stderr
    assert "byte 21" in result.stderr
    assert not (tmp_path / "run" / "logs").exists()


def test_a_picture_too_small_is_refused(tmp_path):
    import cv2
    import numpy as np

    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "tiny.png"), np.zeros((4, 4, 3), np.uint8))
    result = phipd("enhance", tmp_path / "frames", "--out", tmp_path / "out")
    assert_refused(result, "tiny.png")
    assert not list((tmp_path / "out").glob("*.png"))
