"""The flows call the stages, and a failure in a task is a failure of its flow."""

import pytest
from prefect import flow, task
from tiny_run import DEMO, ROOT, tiny_overrides

from flows.capture import capture
from flows.common import results_of, run_from_command_line
from flows.nightly import nightly
from phipd_sim2real.errors import StageError, UsageError


@task
def third_of_four(number):
    if number == 2:
        raise StageError("The third one broke.")
    return number


@flow
def four_tasks():
    return results_of({str(number): third_of_four.submit(number) for number in range(4)})


def test_a_failed_task_fails_the_flow_with_counts_and_reason():
    with pytest.raises(StageError, match=r"1 of 4 tasks failed\. 2: The third one broke\."):
        four_tasks()


def test_bad_input_is_refused_and_not_tried_again(tmp_path):
    with pytest.raises(UsageError, match="Atlantis"):
        capture(DEMO, tmp_path / "run", ["capture.source.maps=[Atlantis]", "capture.target.maps=[Atlantis]"])


def test_the_command_line_exits_with_2_on_bad_input(capsys):
    with pytest.raises(SystemExit) as stopped:
        run_from_command_line(nightly, ["--config", str(ROOT / "configs/none.yaml")])
    assert stopped.value.code == 2
    assert "none.yaml" in capsys.readouterr().err


def test_nightly_makes_the_report_of_the_whole_way(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    page = nightly(DEMO, tmp_path / "run", tiny_overrides(tmp_path))
    assert page == str(tmp_path / "run/report/report.html")
    assert (tmp_path / "run/report/report.json").is_file()
