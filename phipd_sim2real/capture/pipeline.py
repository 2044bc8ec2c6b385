"""Encoding and writing beside the simulation: threads make rows, one thread appends them in order."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from phipd_sim2real.capture.picture_rows import Rows
from phipd_sim2real.drivelog import SegmentWriter

ENCODERS = min(4, os.cpu_count() or 1)
"""OpenCV and pyarrow let go of the interpreter's lock while they compress, so threads are enough."""

MOST_WAITING_BYTES = 256 * 2**20
"""Frames that wait to be encoded; the simulation waits when there are more."""

T = TypeVar("T")


class RowPipeline:
    """Appends rows to a segment in the order in which they are given or asked for, whoever is done first.

    Use as a context manager inside the writer's: a clean exit waits until all is appended.
    """

    def __init__(self, writer: SegmentWriter) -> None:
        self._writer = writer
        self._pool = ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode")
        self._orders: queue.Queue[tuple[Future[Rows] | Rows, int] | None] = queue.Queue()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._appender = threading.Thread(target=self._append_all, name="append", daemon=True)

    def __enter__(self) -> Self:
        self._appender.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            with self._changed:
                self._error = self._error or error
        self._orders.put(None)
        self._appender.join()
        self._pool.shutdown(cancel_futures=True)
        if error is None:
            self._raise()

    def append(self, rows: Rows | Future[Rows], frame_bytes: int = 0) -> None:
        """Appends rows, or what a future will give; waits where too many frames wait already.

        Args:
            rows: (component, row) in order, ready or in the making.
            frame_bytes: memory that is free again once they are written.

        Raises:
            BaseException: what went wrong in another thread.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._error is not None
                    or not self._waiting_bytes
                    or self._waiting_bytes + frame_bytes <= MOST_WAITING_BYTES
                )
            )
            self._waiting_bytes += frame_bytes
        self._raise()
        self._orders.put((rows, frame_bytes))

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Has work done by the threads. Work may wait for the results of work submitted earlier."""
        return self._pool.submit(work, *arguments)

    def _append_all(self) -> None:
        """Runs until the end is ordered; after an error it only takes orders, so that nobody waits for ever."""
        while (order := self._orders.get()) is not None:
            rows, frame_bytes = order
            try:
                if self._error is None:
                    for component, row in rows.result() if isinstance(rows, Future) else rows:
                        self._writer.append(component, row)
            except BaseException as error:
                self._error = error
            with self._changed:
                self._waiting_bytes -= frame_bytes
                self._changed.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
