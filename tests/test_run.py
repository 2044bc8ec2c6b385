"""The whole way at tiny size: real client, simulator, model, planner, records and report."""

import json
import shutil

import pytest
from tiny_run import DEMO, ROOT, tiny_overrides

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file
from phipd_sim2real.run import Run
from phipd_sim2real.run_settings import load_run_settings
from planner_eval.baselines import BASELINES


def quiet(label, done, total):
    """Progress that nobody watches."""


def hashes(folder):
    """Every file that a result depends on."""
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "timings.json"
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        settings = load_run_settings(DEMO, tiny_overrides(folder))
        result = Run(settings, folder / "run", quiet).everything()
    return settings, folder / "run", result


def test_the_report_holds_arms_intervals_and_provenance(finished):
    _, folder, result = finished
    report = json.loads((folder / "report" / "report.json").read_text())
    names = [arm["name"] for arm in result["scores"]["arms"]]
    assert names == [*BASELINES, "ego-only", "source", "phi-pd"]
    assert "success_rate" in result["text"]
    assert "carla-protocol simulator" in json.dumps(report)
    page = (folder / "report" / "report.html").read_text()
    assert "stands in for" in page
    for outside in ('src="http', 'href="http', "@import"):
        assert outside not in page
    assert str(folder) not in page + json.dumps(report)


def test_enhancement_replaces_pictures_and_nothing_else(finished):
    _, folder, _ = finished
    source, enhanced = DriveLog(folder / "logs/source"), DriveLog(folder / "enhanced/phi-pd")
    assert enhanced.segments == source.segments
    for segment in source.segments:
        assert enhanced.components(segment) == source.components(segment)
        for component in source.components(segment):
            same = sha256_file(source.path(component, segment)) == sha256_file(enhanced.path(component, segment))
            assert same == (component != "camera_image")


def test_a_second_run_redoes_nothing(finished, monkeypatch):
    settings, folder, result = finished
    monkeypatch.chdir(ROOT)
    before = hashes(folder)
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert Run(settings, folder, quiet).everything() == result
    assert hashes(folder) == before
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


def test_what_was_lost_is_made_again_to_the_same_bytes(finished, tmp_path, monkeypatch):
    """As after a kill: a segment without its marker, an arm half enhanced, a planner and scores not there yet."""
    settings, folder, _ = finished
    monkeypatch.chdir(ROOT)
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    (run / "logs/target/_complete" / f"{DriveLog(run / 'logs/target').segments[1]}.json").unlink()
    (run / "enhanced/phi-pd/_complete" / f"{DriveLog(run / 'enhanced/phi-pd').segments[0]}.json").unlink()
    for lost in ("planners/phi-pd", "records", "evaluation", "report"):
        shutil.rmtree(run / lost)
    Run(settings, run, quiet).everything()
    assert hashes(run) == hashes(folder)


def test_other_settings_in_the_same_folder_are_refused(finished, monkeypatch):
    settings, folder, _ = finished
    monkeypatch.chdir(ROOT)
    other = settings.model_copy(update={"train": settings.train.model_copy(update={"steps": 5})})
    with pytest.raises(UsageError, match="other settings"):
        Run(other, folder, quiet).train("source", 0)
