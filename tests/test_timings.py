"""Timings shared by the tasks of a flow, each of which opens them for itself."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from phipd_sim2real.timings import Timings


def test_stages_of_many_threads_are_all_kept(tmp_path):
    def work(number):
        with Timings(tmp_path / "run/timings.json").stage(f"stage {number}"):
            time.sleep(0.01)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    stages = json.loads((tmp_path / "run/timings.json").read_text())
    assert set(stages) == {f"stage {number}" for number in range(40)}
    assert all(stage["largest_process_mb"] > 0 for stage in stages.values())


def test_a_second_run_that_finds_everything_done_leaves_no_trace(tmp_path):
    timings = Timings(tmp_path / "timings.json")
    for _ in range(2):
        with timings.stage("fit"):
            pass
        before = (tmp_path / "timings.json").stat().st_mtime_ns
    assert (tmp_path / "timings.json").stat().st_mtime_ns == before
