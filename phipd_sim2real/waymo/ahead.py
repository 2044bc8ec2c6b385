"""Work done ahead by threads, its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 4
WAITING_PER_THREAD = 2


def work_ahead(function: Callable[[Item], Result], items: Iterable[Item], threads: int = THREADS) -> Iterator[Result]:
    """`function` of every item, in the items' order, by `threads` threads.

    At most two results per thread wait to be taken, so a slow consumer does not fill the memory. An error, of the
    function or of the items, comes in its turn: results before it are given first.
    """
    source, waiting = iter(items), deque[Future[Result]]()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="read-ahead") as pool:
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:
                    waiting.append(_failed(error))
                    break
                waiting.append(pool.submit(function, item))
                if len(waiting) > WAITING_PER_THREAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _failed(error: Exception) -> Future:
    future: Future = Future()
    future.set_exception(error)
    return future
