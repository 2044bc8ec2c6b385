"""The benchmark's commands: the whole way at tiny size, and refusals before any work."""

import json
from pathlib import Path

import pytest

from phipd_sim2real.bench.settings import CurvesSettings, SeedTableSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.settings import load_settings

pytest.importorskip("carla", reason="needs the carla wheel")
ROOT = Path(__file__).resolve().parents[2]
TABLE, CURVES = (ROOT / f"configs/bench/{name}.yaml" for name in ("seed-table", "curves"))
TINY = [
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

    settings = load_settings(SeedTableSettings, TABLE, ["models.gaussian=nowhere", "style=null"])
    with pytest.raises(UsageError, match="nowhere"):
        run_seed_table(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
