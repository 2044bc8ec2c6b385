"""Every shipped configuration loads, and the README's commands exist."""

import re
from pathlib import Path

import pytest
import typer.main

from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.cli import app
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.run_settings import load_run_settings
from phipd_sim2real.settings import load_settings
from phipd_sim2real.simulator.maps import MAPS

ROOT = Path(__file__).resolve().parents[1]
MODELS = sorted((ROOT / "configs/models").glob("*.yaml"))
DATA = [f"models/{path.stem}" for path in MODELS if path.stem.endswith("-data")]
RUNS = ["demo", "carla", "waymo", *DATA]


@pytest.mark.parametrize("name", RUNS)
def test_run_configurations_load(name):
    settings = load_run_settings(ROOT / "configs" / f"{name}.yaml")
    for capture in settings.capture.values():
        assert load_rig(ROOT / capture.rig).cameras


@pytest.mark.parametrize("path", sorted((ROOT / "configs/rigs").glob("*.yaml")), ids=lambda path: path.stem)
def test_rigs_load(path):
    assert load_rig(path).cameras


@pytest.mark.parametrize(
    "path", [path for path in MODELS if not path.stem.endswith("-data")], ids=lambda path: path.stem
)
def test_model_configurations_load(path):
    load_settings(FitSettings, path)


def test_nothing_is_both_fitted_and_evaluated_on():
    demo = load_run_settings(ROOT / "configs/demo.yaml")
    evaluated, trained = (set(demo.capture[name].maps) for name in ("target", "source"))
    fitted = {
        name
        for data in DATA
        for capture in load_run_settings(ROOT / f"configs/{data}.yaml").capture.values()
        for name in capture.maps
    }
    assert not evaluated & trained
    assert not evaluated & fitted
    assert evaluated | trained | fitted <= set(MAPS)


def test_commands_in_the_readme_exist():
    commands = set(typer.main.get_command(app).commands)
    named = set(re.findall(r"^phipd ([a-z-]+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert named == commands - {"demo"}
