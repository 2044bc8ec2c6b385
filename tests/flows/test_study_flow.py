"""A study as a flow: every stage runs as tasks, and the report comes out."""

import json

import pytest
import yaml
from tiny_run import DEMO, ROOT
from tiny_study import tiny_study

from flows.study import study
from phipd_sim2real.errors import UsageError

ARMS = {
    "source": {},
    "reinhard": {"recolour": "reinhard"},
    "phi-pd-0.1": {"enhance": {"cutoff": 0.1, "strength": 1.0, "steps": 1}},
    "target": {"log": "oracle"},
}


def test_the_flow_makes_the_report_of_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    choices = {"phi-pd": ["phi-pd-0.1"]}
    settings = tiny_study(tmp_path, arms=ARMS, choices=choices, rivals=["reinhard"], closed_loop=None, driven=())
    config = tmp_path / "study.yaml"
    config.write_text(yaml.safe_dump(settings.model_dump(mode="json", exclude_defaults=True)))
    page = study(config, tmp_path / "run")
    assert page == str(tmp_path / "run/report/report.html")
    report = json.loads((tmp_path / "run/report/report.json").read_text())
    assert report["study"]["standing"]["ceiling"] == "target"
    assert "Planners were scored in open loop only." in report["not_run"]


def test_a_run_is_no_study(tmp_path):
    with pytest.raises(UsageError, match="describes no study"):
        study(DEMO, tmp_path / "run")
