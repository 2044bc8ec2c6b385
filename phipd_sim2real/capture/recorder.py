"""Records one segment: finds a start that shows its scene, drives, and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture import rows, scenes
from phipd_sim2real.capture.connection import ServerInfo
from phipd_sim2real.capture.drive import DriveRecorder, warm_up_ticks
from phipd_sim2real.capture.pipeline import RowPipeline
from phipd_sim2real.capture.plan import PlannedSegment, Variation, vary
from phipd_sim2real.capture.rig import Rig
from phipd_sim2real.capture.session import Episode, WorldMode, episode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.traffic import Cast, start_traffic
from phipd_sim2real.drivelog import SegmentWriter

if TYPE_CHECKING:
    import carla


@dataclass(frozen=True)
class Recording:
    """What is recorded, and how.

    Attributes:
        client: a connected client.
        server: what it is connected to.
        settings: what to record.
        rig: ego vehicle and cameras.
        restore_to: settings that the world gets back after every drive.
        beat: called at every tick, to show that the client is alive.
    """

    client: carla.Client
    server: ServerInfo
    settings: CaptureSettings
    rig: Rig
    restore_to: WorldMode
    beat: Callable[[], None]

    def record(self, segment: PlannedSegment, out: Path, config_hash: str) -> None:
        """Captures one segment into a drive log.

        The world is loaded afresh and everything random comes from the segment's seed, so the bytes do not
        depend on what the server or this process did before.

        Args:
            segment: the drive.
            out: folder of the log.
            config_hash: goes into the segment's marker.
        """
        attempt = self._staged_attempt(segment)
        variation = vary(self.settings, segment, attempt)
        with SegmentWriter(out, segment.name, config_hash) as writer, self._episode(segment, variation) as held:
            cast, warm_up = self._begin(held, segment, variation)
            with RowPipeline(writer) as pipeline:
                recorder = DriveRecorder(held, cast, self.server, self.settings, self.rig, variation, writer, pipeline)
                recorder.drive(warm_up, self.beat)
                if segment.scene is not None:
                    recorder.write_scene(segment, attempt + 1)

    def _episode(self, segment: PlannedSegment, variation: Variation) -> episode:
        return episode(
            self.client, segment.short_map_name, self.settings.delta_s, variation.traffic_seed, self.restore_to
        )

    def _begin(self, held: Episode, segment: PlannedSegment, variation: Variation) -> tuple[Cast, int]:
        """Puts everybody on the road; returns them, and the ticks before the recording."""
        cast = start_traffic(held, self.rig, self.settings, segment, variation)
        clock_s = held.tick().timestamp.elapsed_seconds
        return cast, warm_up_ticks(self.settings, clock_s, self.server.is_embedded)

    def _staged_attempt(self, segment: PlannedSegment) -> int:
        """The first attempt that shows the segment's scene, driven without cameras; the last one if none does."""
        tries = self.settings.plan.tries if self.settings.plan is not None else 1
        for attempt in range(tries - 1):
            variation = vary(self.settings, segment, attempt)
            with self._episode(segment, variation) as held:
                cast, warm_up = self._begin(held, segment, variation)
                if scenes.shows(self._scout(held, cast, warm_up), segment.scene):
                    return attempt
        return tries - 1

    def _scout(self, held: Episode, cast: Cast, warm_up: int) -> scenes.DriveTrack:
        """Drives without cameras."""
        tracked = rows.tracked_objects(held.world, cast.ego)
        moments, ahead = [], []
        for tick in range(-warm_up, self.settings.total_ticks):
            cast.before_tick(tick)
            snapshot = held.tick()
            self.beat()
            if tick >= 0 and tick % self.settings.ticks_per_pose == 0:
                micros = round(tick * self.settings.delta_s * 1e6)
                moment = rows.ego_moment(snapshot.find(cast.ego.id), self.rig, micros)
                moments.append(moment)
                ahead.append(scenes.distance_ahead(*rows.vehicles_around(moment, tracked, snapshot)))
        return rows.drive_track(moments, np.array(ahead))
