"""A worker that crashes, hangs, refuses or succeeds, played by a few lines of Python."""

import sys
import threading
import time

import pytest

from phipd_sim2real.capture.supervisor import Stopped, WorkerFailed, WorkerProcess
from phipd_sim2real.errors import UsageError

PRELUDE = (
    "import json, os, sys, time\n"
    "say = lambda **event: print(json.dumps(event), flush=True)\n"
    "assert sys.stdin.readline() == 'the job\\n'\n"
    "name = sys.stdin.readline().strip()\n"
)


def _worker(body, stall_s=20.0, stop=None, on_server=lambda event: None):
    command = (sys.executable, "-c", PRELUDE + body)
    return WorkerProcess("the job", stall_s, stall_s, stop or threading.Event(), on_server, command)


def test_a_segment_is_done_when_the_worker_says_so():
    met = []
    body = "say(event='server', version='x'); say(event='beat'); say(event='done', segment=name)"
    with _worker(body, on_server=met.append) as worker:
        worker.capture("a")
    assert met == [{"event": "server", "version": "x"}]


def test_a_crash_is_reported_with_its_status_and_last_line():
    body = "print('terminate called', file=sys.stderr, flush=True); os.abort()"
    with pytest.raises(WorkerFailed, match=r"status -6 \(terminate called\)"), _worker(body) as worker:
        worker.capture("a")


def test_a_hang_ends_after_the_allowed_silence():
    begun = time.monotonic()
    with pytest.raises(WorkerFailed, match="no progress for 1 s"), _worker("time.sleep(60)", 1.0) as worker:
        worker.capture("a")
    assert time.monotonic() - begun < 5


def test_beats_keep_a_slow_worker_alive():
    body = "[(say(event='beat'), time.sleep(0.4)) for _ in range(5)]; say(event='done')"
    with _worker(body, stall_s=1.0) as worker:
        worker.capture("a")


def test_a_refusal_and_a_failure_keep_their_sentences():
    with pytest.raises(UsageError, match="no map"), _worker("say(event='usage', message='no map')") as worker:
        worker.capture("a")
    with pytest.raises(WorkerFailed, match="lost"), _worker("say(event='failed', message='lost')") as worker:
        worker.capture("a")


def test_a_stop_from_outside_ends_the_wait():
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped), _worker("sys.stdin.read()", stop=stop) as worker:
        worker.capture("a")
