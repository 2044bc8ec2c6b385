"""The client side of a capture in a process of its own: `python -m phipd_sim2real.capture.worker`.

CARLA's client can hang or abort the interpreter, and neither can be caught from inside. So a parent watches
this process: it writes a job and then names of segments to stdin, one per line, and reads events from stdout,
one JSON object per line. A closed stdin ends the worker, also in the middle of a segment: the parent is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phipd_sim2real.capture.connection import ServerInfo, connect, server_info
from phipd_sim2real.capture.plan import plan_segments
from phipd_sim2real.capture.probe import check_camera_metadata
from phipd_sim2real.capture.recorder import Recording
from phipd_sim2real.capture.rig import Rig
from phipd_sim2real.capture.session import WorldMode, restore_mode, synchronous, world_mode
from phipd_sim2real.capture.settings import EMBEDDED, CaptureSettings, short_map_name
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.settings import Settings

BEAT_EVERY_S = 1.0
END_LIMIT_S = 10.0


class Job(Settings):
    """What the parent asks for."""

    host: str
    """Where the server listens."""

    port: int
    """Its RPC port."""

    settings: CaptureSettings
    """What to record."""

    rig: Rig
    """Ego vehicle and cameras."""

    out: Path
    """Folder of the log."""

    config_hash: str
    """Goes into the segments' markers."""

    restore_to: WorldMode | None = None
    """Settings of the world before the first worker touched it; None where this is the first."""


class Events:
    """Writes events to the parent. Whatever else prints to stdout goes to stderr."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._last_beat = 0.0

    def send(self, event: str, **values: Any) -> None:
        """Sends one event."""
        self._stream.write(json.dumps({"event": event} | values) + "\n")
        self._stream.flush()

    def beat(self) -> None:
        """Says that the client is alive, at most once a second."""
        now = time.monotonic()
        if now - self._last_beat >= BEAT_EVERY_S:
            self._last_beat = now
            self.send("beat")


class Inbox:
    """Lines from the parent, read by a thread; the end of input while a segment runs ends the process.

    Attributes:
        busy: a segment is being captured.
        shared_server: the server outlives this process and wants its settings back first.
    """

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.busy = False
        self.shared_server = False
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> str | None:
        """The next line; None at the end."""
        return self._lines.get()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)
        if self.busy and not self.shared_server:
            os._exit(1)
        if self.busy:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_LIMIT_S)
        os._exit(1)


def main() -> int:
    """Runs one job; 0 when stdin ends between segments, 1 after a failure that was reported."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    events, inbox = Events(), Inbox()
    try:
        first = inbox.take()
        if first is not None:
            _run(Job.model_validate_json(first), events, inbox)
    except UsageError as error:
        events.send("usage", message=str(error))
        return 1
    except (RuntimeError, StageError) as error:
        events.send("failed", message=str(error))
        return 1
    return 0


def _run(job: Job, events: Events, inbox: Inbox) -> None:
    inbox.shared_server = job.settings.endpoint != EMBEDDED
    client = connect(job.host, job.port, job.settings.connect_s)
    server = server_info(client)
    mode = job.restore_to or world_mode(client)
    events.send("server", version=server.version, domain=server.domain, mode=asdict(mode))
    check(job.settings, job.rig, server)
    if not server.is_embedded:
        world = client.get_world()
        with synchronous(client, world, job.settings.delta_s, mode):
            check_camera_metadata(world)
    recording = Recording(client, server, job.settings, job.rig, mode, events.beat)
    planned = {segment.name: segment for segment in plan_segments(job.settings)}
    while (name := inbox.take()) is not None:
        inbox.busy = True
        recording.record(planned[name], job.out, job.config_hash)
        inbox.busy = False
        events.send("done", segment=name)
    restore_mode(client, mode)


def check(settings: CaptureSettings, rig: Rig, server: ServerInfo) -> None:
    """Refuses what this server cannot give.

    Raises:
        UsageError: an unknown map, vehicle or look, or a look on a server that has none.
    """
    known = {short_map_name(name) for name in server.maps}
    asked = [segment for segment in plan_segments(settings) if not segment.is_file]
    unknown = {segment.map_name for segment in asked if segment.short_map_name not in known}
    if unknown:
        raise UsageError(f"The server has no map {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
    if rig.vehicle not in server.vehicles:
        raise UsageError(f"The server has no vehicle {rig.vehicle!r}; it has {', '.join(server.vehicles)}.")
    if settings.look is not None and server.is_embedded and settings.look not in server.looks:
        raise UsageError(f"The simulator has no look {settings.look!r}; it has {', '.join(server.looks)}.")
    if settings.look is not None and not server.is_embedded:
        raise UsageError(
            f"look = {settings.look!r} is a choice of the embedded simulator; CARLA's appearance comes from "
            "its maps and weather. Remove look from the capture settings."
        )


if __name__ == "__main__":
    sys.exit(main())
