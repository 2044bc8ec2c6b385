"""Rows made in threads: in order, within bounds, and never a segment with a hole."""

import threading
import time

import numpy as np
import pytest

from phipd_sim2real.capture import pipeline as pipeline_module
from phipd_sim2real.capture.pipeline import RowPipeline
from phipd_sim2real.drivelog import TIMESTAMP, DriveLog, Provenance, SegmentWriter, column, write_provenance
from phipd_sim2real.drivelog.completion import read_completions


def _row(time_micros):
    return [("ego_intent", {TIMESTAMP: time_micros, column("ego_intent", "intent"): 1})]


def _slow(time_micros, seconds):
    time.sleep(seconds)
    return _row(time_micros)


def test_rows_come_in_the_order_in_which_they_were_asked_for(tmp_path):
    rng = np.random.default_rng(0)
    with SegmentWriter(tmp_path, "a", "hash") as writer, RowPipeline(writer) as pipeline:
        for number in range(100):
            ready = number % 3 == 0
            delay = float(rng.uniform(0, 0.01))
            pipeline.append(_row(number) if ready else pipeline.submit(_slow, number, delay))
    write_provenance(tmp_path, Provenance(domain="x", config={}, config_hash="hash", seed=0))
    found = DriveLog(tmp_path).table("ego_intent", "a")[TIMESTAMP]
    assert found.tolist() == list(range(100))


def test_a_failure_in_a_thread_ends_the_segment_without_a_trace(tmp_path):
    def fail():
        raise ValueError("no such lens")

    def drive():
        with SegmentWriter(tmp_path, "a", "hash") as writer, RowPipeline(writer) as pipeline:
            pipeline.append(_row(0))
            pipeline.append(pipeline.submit(fail))
            for number in range(1, 1000):
                pipeline.append(_row(number))
                time.sleep(0.001)

    with pytest.raises(ValueError, match="no such lens"):
        drive()
    assert read_completions(tmp_path) == {}
    assert not list((tmp_path / "ego_intent").iterdir())


def test_a_failure_of_the_drive_is_the_one_that_is_raised(tmp_path):
    def drive():
        with SegmentWriter(tmp_path, "a", "hash") as writer, RowPipeline(writer) as pipeline:
            pipeline.append(pipeline.submit(_slow, 0, 0.2))
            raise RuntimeError("the server is gone")

    with pytest.raises(RuntimeError, match="server is gone"):
        drive()
    assert read_completions(tmp_path) == {}


def test_the_simulation_waits_when_too_many_frames_do(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline_module, "MOST_WAITING_BYTES", 100)
    gate, done = threading.Event(), []

    def held(number):
        gate.wait(10)
        return _row(number)

    def drive(pipeline):
        for number in range(5):
            pipeline.append(pipeline.submit(held, number), frame_bytes=40)
            done.append(number)

    with SegmentWriter(tmp_path, "a", "hash") as writer, RowPipeline(writer) as pipeline:
        driver = threading.Thread(target=drive, args=(pipeline,))
        driver.start()
        time.sleep(0.3)
        assert done == [0, 1], "a third picture of 40 bytes does not fit into 100"
        gate.set()
        driver.join(10)
        assert done == [0, 1, 2, 3, 4]
        pipeline.append(_row(5), frame_bytes=1000)
        pipeline.append(_row(6))
    assert read_completions(tmp_path)["a"].rows == {"ego_intent": 7}
