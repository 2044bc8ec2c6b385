"""Seconds and peak memory per stage, beside the results: nothing that is reproducible depends on them."""

from __future__ import annotations

import json
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phipd_sim2real.files import write_json


class Timings:
    """A JSON file of stage → seconds and peak memory, summed over interruptions; may be used by several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the seconds of the block to those of the stage. A block that fails adds nothing."""
        start = time.monotonic()
        yield
        with self._lock:
            stages = json.loads(self._path.read_text()) if self._path.exists() else {}
            before = stages.get(name, {"seconds": 0.0})["seconds"]
            seconds = round(before + time.monotonic() - start, 1)
            stages[name] = {"seconds": seconds, "peak_memory_mb": _peak_memory_mb()}
            write_json(self._path, stages)


def _peak_memory_mb() -> int:
    """Largest resident set so far of this process or of one of its finished children."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usages) // 1024
