"""Holds ticks back while a synchronous Traffic Manager works, or the client's `tick` can wait for ever.

The client's Traffic Manager loses a wake-up when the next frame arrives before its thread waits for it. The last
thing that thread asks before it waits is the episode's settings, so a tick is let through a moment after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

GRACE_S = 0.002
FALLBACK_S = 0.1


class Pacer:
    """Remembers when the last frame went out and when the settings were last asked for since."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._asked_at = 0.0
        self._sent_at = 0.0

    def settings_asked(self) -> None:
        """Notes a request for the episode's settings."""
        self._asked_at = time.monotonic()
        self._asked.set()

    def frame_sent(self) -> None:
        """Notes that a frame went out."""
        self._sent_at = time.monotonic()
        self._asked.clear()

    async def ready(self, traffic_managers: bool) -> None:
        """Waits until the next frame may go out; without Traffic Managers that is at once."""
        if not traffic_managers:
            return
        patience = self._sent_at + FALLBACK_S - time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), max(0.0, patience))
        rest = self._asked_at + GRACE_S - time.monotonic()
        if rest > 0.0:
            await asyncio.sleep(rest)

    async def rest(self) -> None:
        """The delay before a batch's reply, which wakes the waiting side of the same thread."""
        await asyncio.sleep(GRACE_S)
