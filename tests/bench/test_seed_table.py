"""The benchmark's commands: the whole way at tiny size, and refusals before any work."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from phipd_sim2real.bench.seed_table import check_models
from phipd_sim2real.bench.settings import CurvesSettings, SeedTableSettings, Twins
from phipd_sim2real.errors import UsageError
from phipd_sim2real.preparation import Step, check_steps, prepare
from phipd_sim2real.settings import load_settings

pytest.importorskip("carla", reason="needs the carla wheel")
ROOT = Path(__file__).resolve().parents[2]
TABLE, CURVES = (ROOT / f"configs/bench/{name}.yaml" for name in ("seed-table", "curves"))
TINY = [
    "prepare=[]",
    "models.gaussian=street-small",
    "sweep.strengths=[0.5, 1.0]",
    "sweep.steps=1",
    "sweep.candidates={only: {cutoff: 0.2, strength: 1.0}}",
    "resamples=100",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> list[str]:
    """Overrides that make every log two short segments of small frames."""
    rig = tmp_path_factory.mktemp("rig") / "rig.yaml"
    text = (ROOT / "configs/rigs/front-one.yaml").read_text()
    rig.write_text(text.replace("width: 240, height: 144", "width: 96, height: 64"))
    overrides = list(TINY)
    for name in ("clips", "selection", "target", "selection_target"):
        overrides += [f"{name}.segments=2", f"{name}.seconds=1", f"{name}.rig={rig}", f"{name}.warm_up_s=0.5"]
        overrides += [f"{name}.images.window_s=[0.0, 0.25]", f"{name}.images.period_s=0.1"]
    return overrides


def test_the_shipped_configurations_load():
    assert load_settings(SeedTableSettings, TABLE).style is not None
    assert load_settings(CurvesSettings, CURVES).strip.show_source


def test_choosing_and_reporting_on_one_map_is_refused():
    with pytest.raises(UsageError, match="share a map"):
        load_settings(SeedTableSettings, TABLE, ["selection.maps=[Riverside01]"])


def test_a_missing_twin_is_refused_before_any_work(tmp_path):
    from phipd_sim2real.bench.run_seed_table import run_seed_table

    settings = load_settings(SeedTableSettings, TABLE, ["prepare=[]", "models.gaussian=nowhere", "style=null"])
    with pytest.raises(UsageError, match="nowhere"):
        run_seed_table(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_model_of_the_shipped_configurations_ships_or_is_made():
    table, curves = load_settings(SeedTableSettings, TABLE), load_settings(CurvesSettings, CURVES)
    check_steps(table.prepare)
    check_models(table.prepare, table.models, table.style.models)
    check_models(curves.prepare, curves.models)


def test_what_does_not_ship_is_made_first_and_once(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    fit = {"data": str(tmp_path), "steps": 1, "model": {"channels": [16]}, "crops": [{"height": 32, "width": 32}]}
    (tmp_path / "fit.yaml").write_text(json.dumps(fit))
    steps = [Step(fit=tmp_path / "fit.yaml", out=tmp_path / "model")]
    twins = Twins(gaussian=str(tmp_path / "model"))
    check_models(steps, twins)
    with pytest.raises(UsageError, match="no model"):
        check_models([], twins)
    prepare(steps)
    check_models([], twins)
    made = (tmp_path / "model/fit.json").stat().st_mtime_ns
    prepare(steps)
    assert (tmp_path / "model/fit.json").stat().st_mtime_ns == made


@pytest.mark.parametrize("kinds", [{}, {"fit": "a.yaml", "capture": "b.yaml"}])
def test_a_step_makes_one_thing(kinds):
    with pytest.raises(ValueError, match="needs one configuration"):
        Step(out="somewhere", **kinds)


def test_a_step_without_its_configuration_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no config file"):
        check_steps([Step(fit=tmp_path / "absent.yaml", out=tmp_path)])


def test_the_table_is_made_once_and_says_what_it_rests_on(tiny, tmp_path):
    from phipd_sim2real.bench.run_seed_table import run_seed_table

    settings = load_settings(SeedTableSettings, TABLE, [*tiny, "style=null", "least_gap_closed=0.0"])
    result = run_seed_table(settings, tmp_path)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "enhanced").rglob("*.parquet")}
    assert result["chosen"] == "only"
    again = run_seed_table(settings, tmp_path)
    assert again == result
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "enhanced").rglob("*.parquet")}
    numbers = json.loads((tmp_path / "table.json").read_text())
    row = next(row for row in numbers["rows"] if row["measure"] == "flow_epe")
    assert row["goal"] == 63.6
    assert row["frames"] > 0
    assert row["clips"] == 2
    assert row["source"]["value"] == pytest.approx(0, abs=1e-3)
    assert row["phi_pd"]["value"] > 0
    assert numbers["models"]["target"]["phi_pd"] == numbers["models"]["target"]["gaussian"]
    assert "<html" in (tmp_path / "table.html").read_text()
