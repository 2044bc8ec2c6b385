"""Progress of long work, shown on stderr: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

ProgressCallback = Callable[[str, int, int], None]
"""Called as progress(label, done, total) by everything that takes long; total is 0 where it is not known."""

LINE_EVERY_SECONDS = 5.0


class ProgressDisplay:
    """Renders `progress(label, done, total)` calls from any thread; use as a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def __call__(self, label: str, done: int, total: int) -> None:
        with self._lock:
            if self._console.is_terminal:
                self._advance_bar(label, done, total)
            else:
                self._write_line(label, done, total)

    def _advance_bar(self, label: str, done: int, total: int) -> None:
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(label, total=total or None)
        self._bars.update(self._tasks[label], completed=done, total=total or None)

    def _write_line(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        last, shown = self._last_line.get(label, (-LINE_EVERY_SECONDS, -1))
        if done == shown or (done != total and now - last < LINE_EVERY_SECONDS):
            return
        self._last_line[label] = (now, done)
        print(f"{label}: {done}/{total}" if total else f"{label}: {done}", file=sys.stderr, flush=True)
