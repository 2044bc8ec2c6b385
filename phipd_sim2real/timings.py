"""Seconds per stage and the memory of the largest process, beside the results: no result depends on them."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phipd_sim2real.files import write_json

NOTHING_DONE_S = 1.0
"""A stage that finds everything complete takes less, and leaves no trace."""


class Timings:
    """A JSON file of stage → seconds, summed over interruptions, and memory; threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the seconds of the block to those of the stage, also where it fails or is interrupted."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._add(name, time.monotonic() - start)

    def _add(self, name: str, seconds: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self._path.parent):
            stages = json.loads(self._path.read_text()) if self._path.exists() else {}
            before = stages.get(name, {"seconds": 0.0, "largest_process_mb": 0})
            if seconds < NOTHING_DONE_S and name in stages:
                return
            stages[name] = {
                "seconds": round(before["seconds"] + seconds, 1),
                "largest_process_mb": max(before["largest_process_mb"], _largest_process_mb()),
            }
            write_json(self._path, stages)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other threads and processes out until the block ends: each task of a flow has a `Timings` of its own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _largest_process_mb() -> int:
    """Largest resident set so far of this process or of one of its finished children, from the run's beginning."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usages) // 1024
