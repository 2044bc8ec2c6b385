"""Captures a whole drive log, segment by segment, whatever happens to clients and servers on the way."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phipd_sim2real.capture.connection import connect, import_carla
from phipd_sim2real.capture.identity import config_hash, provenance, resolved_config
from phipd_sim2real.capture.lens import resampler_of, warn_of_widths
from phipd_sim2real.capture.plan import PlannedSegment, plan_segments
from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.capture.settings import EMBEDDED, CaptureSettings
from phipd_sim2real.capture.summary import write_summary
from phipd_sim2real.capture.supervisor import Stopped, WorkerFailed, WorkerProcess
from phipd_sim2real.drivelog import completed_segments, write_provenance
from phipd_sim2real.drivelog.provenance import FILE_NAME, read_provenance
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.progress import ProgressCallback


@dataclass(frozen=True)
class CaptureSummary:
    """What a capture did.

    Attributes:
        segments: segments of the log, all complete.
        captured: of these, made now; the others were there already.
        retries: attempts that failed on the way, with a crash, a hang or an error of client or server.
    """

    segments: int
    captured: int
    retries: int


def capture_log(
    settings: CaptureSettings,
    out: Path,
    progress: ProgressCallback | None = None,
    stop: threading.Event | None = None,
) -> CaptureSummary:
    """Captures a drive log, or what is missing of it.

    Args:
        settings: what to record, and from where.
        out: folder of the log; complete segments in it are kept.
        progress: called as progress(label, done, total).
        stop: set from another thread, or by a failure, it ends this capture too; what is complete is kept.

    Raises:
        UsageError: no server, another version, an unknown map, or a folder made with other settings.
        StageError: a segment failed more often than `settings.retries` allows.
    """
    capture = _Capture(settings, out, progress or (lambda label, done, total: None), stop or threading.Event())
    return capture.run()


def check_capture(settings: CaptureSettings, out: Path) -> None:
    """Refuses a capture that cannot work, before any work: what `capture_log` would refuse on its way.

    Raises:
        UsageError: an unknown map, no server or another version where segments are missing, or a folder made with
            other settings.
    """
    _Capture(settings, out, lambda label, done, total: None, threading.Event()).check()


class _Capture:
    """One run of `capture_log`: the queue of segments, and the crews that work on it."""

    def __init__(self, settings: CaptureSettings, out: Path, progress: ProgressCallback, stop: threading.Event) -> None:
        self._settings = settings
        self._out = out
        self._progress = progress
        self._rig = load_rig(settings.rig)
        self._config = resolved_config(settings, self._rig)
        self._config_hash = config_hash(self._config)
        self._planned = plan_segments(settings)
        complete = completed_segments(out, self._config_hash)
        self._todo: queue.SimpleQueue[PlannedSegment] = queue.SimpleQueue()
        self._captured = 0
        self._missing = [segment for segment in self._planned if segment.name not in complete]
        for segment in sorted(self._missing, key=lambda segment: segment.map_name):  # a map is loaded rarely
            self._todo.put(segment)
        self._retries = 0
        self._stop = stop
        self._lock = threading.Lock()
        self._restore_to: dict[str, Any] | None = None

    def run(self) -> CaptureSummary:
        self._show()
        if self._missing:
            self.check()
            self._run_crews()
            write_summary(self._out)
        return CaptureSummary(len(self._planned), self._captured, self._retries)

    def check(self) -> None:
        """Refuses what cannot work."""
        if not self._missing:
            return
        for mount in self._rig.cameras:
            resampler_of(mount)
        if self._settings.endpoint == EMBEDDED:
            import_carla()
            self._refuse_unknown_maps()
        else:
            warn_of_widths(self._rig)
            host, _, port = self._settings.endpoint.rpartition(":")
            connect(host, int(port), self._settings.connect_s)

    def _run_crews(self) -> None:
        crews = min(self._settings.workers, len(self._missing))
        with ThreadPoolExecutor(crews) as pool:
            futures = [pool.submit(self._crew) for _ in range(crews)]
            try:
                errors = [error for future in futures if (error := future.exception()) is not None]
            except BaseException:
                self._stop.set()
                raise
        for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
            raise error

    def _crew(self) -> None:
        """Works on the queue with one server and one worker; both are made anew after a failure."""
        try:
            segment, attempts = self._next(), 0
            while segment is not None:
                served = segment.map_name
                try:
                    with self._server(segment) as (host, port), self._worker(host, port) as worker:
                        while segment is not None and (segment.map_name == served or not segment.is_file):
                            worker.capture(segment.name)
                            self._count_captured()
                            segment, attempts = self._next(), 0
                except WorkerFailed as failure:
                    attempts += 1
                    self._count_failure(segment, attempts, failure)
        except BaseException:
            self._stop.set()
            raise

    def _next(self) -> PlannedSegment | None:
        try:
            return self._todo.get_nowait()
        except queue.Empty:
            return None

    @contextmanager
    def _server(self, segment: PlannedSegment) -> Iterator[tuple[str, int]]:
        if self._settings.endpoint != EMBEDDED:
            host, _, port = self._settings.endpoint.rpartition(":")
            yield host, int(port)
            return
        from phipd_sim2real.simulator.process import simulator_process

        with simulator_process(segment.map_name) as endpoint:
            yield endpoint.host, endpoint.port

    def _worker(self, host: str, port: int) -> WorkerProcess:
        job = {
            "host": host,
            "port": port,
            "settings": self._settings.model_dump(mode="json"),
            "rig": self._rig.model_dump(mode="json"),
            "out": str(self._out),
            "config_hash": self._config_hash,
            "restore_to": self._restore_to,
        }
        start_s = self._settings.connect_s + self._settings.stall_s
        return WorkerProcess(json.dumps(job), start_s, self._settings.stall_s, self._stop, self._begin)

    def _begin(self, server: dict[str, Any]) -> None:
        """Called when a worker has met its server: keeps how to leave it, and writes the provenance."""
        with self._lock:
            if self._restore_to is None and self._settings.endpoint != EMBEDDED:
                self._restore_to = server["mode"]
            if (self._out / FILE_NAME).exists():
                known = read_provenance(self._out).domain
                if known != server["domain"]:
                    raise UsageError(
                        f"{self._out} holds pictures of the domain {known!r} and the server gives "
                        f"{server['domain']!r}; give another output folder."
                    )
            names = [segment.name for segment in self._planned]
            write_provenance(self._out, provenance(self._config, names, server))

    def _count_captured(self) -> None:
        with self._lock:
            self._captured += 1
            self._show()

    def _count_failure(self, segment: PlannedSegment, attempts: int, failure: WorkerFailed) -> None:
        with self._lock:
            self._retries += 1
        if attempts > self._settings.retries:
            self._leave_server()
            raise StageError(
                f"Segment {segment.name} failed {attempts} times, the last time because {failure}. "
                "What is complete is kept; run the same command again to go on, or allow more with retries."
            ) from failure

    def _leave_server(self) -> None:
        """Gives a CARLA server its settings back after the last worker was killed."""
        if self._restore_to is not None:
            host, _, port = self._settings.endpoint.rpartition(":")
            with self._worker(host, int(port)):
                pass  # a worker without segments restores and leaves

    def _show(self) -> None:
        done = len(self._planned) - len(self._missing) + self._captured
        self._progress(f"capture {self._settings.name}", done, len(self._planned))

    def _refuse_unknown_maps(self) -> None:
        from phipd_sim2real.simulator.maps import MAPS

        unknown = [
            name for name in self._settings.maps if name.rsplit("/", 1)[-1] not in MAPS and not Path(name).is_file()
        ]
        if unknown:
            raise UsageError(f"The simulator has no map {', '.join(unknown)}; it has {', '.join(sorted(MAPS))}.")
