"""The parent's side of a capture worker: gives it segments, watches it, and ends it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from phipd_sim2real.errors import UsageError

WORKER_COMMAND = (sys.executable, "-m", "phipd_sim2real.capture.worker")
LOOK_EVERY_S = 0.5
LEAVE_LIMIT_S = 15.0


class WorkerFailed(Exception):
    """The worker crashed, hung or reported a failure; the message says which."""


class Stopped(Exception):
    """The capture ends early because another part of it failed or was interrupted."""


class WorkerProcess:
    """A worker and its pipes; a context manager that never leaves a process behind."""

    def __init__(
        self,
        job_json: str,
        start_s: float,
        stall_s: float,
        stop: threading.Event,
        on_server: Callable[[dict[str, Any]], None],
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        """Starts the worker.

        Args:
            job_json: the job, one line.
            start_s: longest time to the first event.
            stall_s: longest time without any event after that.
            stop: set from outside to end the work.
            on_server: called with what the worker found at the endpoint; may raise.
            command: how to start a worker.
        """
        self._patience_s = start_s
        self._stall_s = stall_s
        self._stop = stop
        self._on_server = on_server
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._received = b""
        self._write(job_json)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Lets an idle worker leave, and ends one that is in the middle of something."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(LEAVE_LIMIT_S if not isinstance(error, WorkerFailed) else LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._selector.close()
        self._stderr.close()

    def capture(self, segment: str) -> None:
        """Has one segment captured.

        Raises:
            WorkerFailed: the worker crashed, hung or failed; the segment may be begun again.
            UsageError: the server cannot give what is asked.
            Stopped: `stop` was set.
        """
        self._write(segment)
        while True:
            event = self._next_event()
            if event["event"] == "done":
                return
            if event["event"] == "server":
                self._on_server(event)
            if event["event"] == "usage":
                raise UsageError(event["message"])
            if event["event"] == "failed":
                raise WorkerFailed(event["message"])

    def _write(self, line: str) -> None:
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerFailed(self._death()) from None

    def _next_event(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience_s
        while b"\n" not in self._received:
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                raise WorkerFailed(f"the client showed no progress for {self._patience_s:g} s")
            if self._selector.select(LOOK_EVERY_S):
                data = os.read(self._process.stdout.fileno(), 65536)
                if not data:
                    raise WorkerFailed(self._death())
                self._received += data
        self._patience_s = self._stall_s
        line, self._received = self._received.split(b"\n", 1)
        return json.loads(line)

    def _death(self) -> str:
        """Why the worker is gone: its exit status and the last line it wrote."""
        status = self._process.wait(LEAVE_LIMIT_S)
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f"the client ended with status {status}" + (f" ({lines[-1]})" if lines else "")
