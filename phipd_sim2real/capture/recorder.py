"""Drives one segment and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture import rows
from phipd_sim2real.capture.cameras import CameraArray, Picture
from phipd_sim2real.capture.intent import intents
from phipd_sim2real.capture.plan import PlannedSegment, vary
from phipd_sim2real.capture.rig import Rig
from phipd_sim2real.capture.session import Episode, ServerInfo, WorldMode, episode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.traffic import start_traffic
from phipd_sim2real.drivelog import SegmentWriter
from phipd_sim2real.geometry import yaw_of

if TYPE_CHECKING:
    import carla

ALWAYS_PRESENT = ("camera_image", "lidar_box")
LABEL_TABLES = ("camera_depth", "camera_semantics", "camera_instances")


def record_segment(
    client: carla.Client,
    server: ServerInfo,
    settings: CaptureSettings,
    rig: Rig,
    segment: PlannedSegment,
    out: Path,
    config_hash: str,
    restore_to: WorldMode,
    beat: Callable[[], None],
) -> None:
    """Captures one segment into a drive log.

    The world is loaded afresh and everything random comes from the segment's seed, so the bytes do not
    depend on what the server or this process did before.

    Args:
        client: a connected client.
        server: what it is connected to.
        settings: what to record.
        rig: ego vehicle and cameras.
        segment: the drive.
        out: folder of the log.
        config_hash: goes into the segment's marker.
        restore_to: settings that the world gets back.
        beat: called at every tick, to show that the client is alive.
    """
    variation = vary(settings, segment)
    with (
        SegmentWriter(out, segment.name, config_hash) as writer,
        episode(client, segment.short_map_name, settings.delta_s, variation.traffic_seed, restore_to) as held,
    ):
        ego = start_traffic(held, rig, settings, segment, variation)
        clock_s = held.tick().timestamp.elapsed_seconds
        recorder = _Recorder(held, ego, server, settings, rig, variation.weather, writer)
        recorder.drive(clock_s, beat)


class _Recorder:
    def __init__(
        self,
        held: Episode,
        ego: carla.Vehicle,
        server: ServerInfo,
        settings: CaptureSettings,
        rig: Rig,
        weather: dict[str, float],
        writer: SegmentWriter,
    ) -> None:
        self._held = held
        self._ego = ego
        self._server = server
        self._settings = settings
        self._rig = rig
        self._weather = weather
        self._writer = writer
        others = sorted((a for a in held.world.get_actors() if _is_labelled(a, ego)), key=lambda actor: actor.id)
        self._tracked = [rows.track(actor, label) for label, actor in enumerate(others, start=2)]
        self._label_of_instance = self._instance_labels()
        self._cameras: CameraArray | None = None
        self._moments: list[rows.EgoMoment] = []
        self._in_junction: list[bool] = []

    def drive(self, clock_s: float, beat: Callable[[], None]) -> None:
        """Warms up, drives, records, and writes what is known only at the end."""
        settings = self._settings
        image_ticks = settings.image_ticks()
        warm_up = round(settings.warm_up_s / settings.delta_s)
        if self._server.is_embedded:
            # Its cameras expose whenever its clock shows a multiple of their period.
            warm_up += -(round(clock_s / settings.delta_s) + warm_up + 1 + image_ticks.start) % image_ticks.step
        # A real camera needs frames to settle its exposure; ours is attached when it is first needed.
        attach_at = image_ticks[0] if self._server.is_embedded else -warm_up
        for name in (*ALWAYS_PRESENT, *(LABEL_TABLES if settings.images.labels else ())):
            self._writer.declare(name)
        for tick in range(-warm_up, settings.total_ticks):
            if tick == attach_at:
                self._cameras = self._attach()
            self._step(tick, image_ticks)
            if tick == image_ticks[-1]:
                self._held.remove_sensors()
                self._cameras = None
            beat()
        self._write_ends()

    def _step(self, tick: int, image_ticks: range) -> None:
        snapshot = self._held.tick()
        pictures: dict[int, Picture] = {}
        if self._cameras is not None and (tick in image_ticks or not self._server.is_embedded):
            pictures = self._cameras.take(snapshot.frame)
        if tick < 0 or tick % self._settings.ticks_per_pose:
            return
        micros = round(tick * self._settings.delta_s * 1e6)
        moment = rows.ego_moment(snapshot.find(self._ego.id), self._rig, micros)
        self._moments.append(moment)
        self._in_junction.append(self._held.map.get_waypoint(self._ego.get_location()).is_junction)
        self._writer.append("vehicle_pose", rows.pose_row(moment))
        self._write_boxes(moment, snapshot)
        if tick in image_ticks:
            for camera, picture in pictures.items():
                self._write_picture(moment, camera, picture)

    def _attach(self) -> CameraArray:
        attributes = {}
        if self._server.is_embedded:
            attributes["sensor_tick"] = str(self._settings.images.period_s)
            if self._settings.look is not None:
                attributes["look"] = self._settings.look
        return CameraArray(self._held, self._ego, self._rig, self._settings.images.labels, attributes)

    def _write_boxes(self, moment: rows.EgoMoment, snapshot: carla.WorldSnapshot) -> None:
        kinds = []
        for tracked in self._tracked:
            row = rows.box_row(moment, tracked, snapshot.find(tracked.actor_id))
            if row is not None:
                self._writer.append("lidar_box", row)
                kinds.append(tracked.kind)
        self._writer.append("stats", rows.stats_row(moment, self._held.map.name, self._weather, kinds))

    def _write_picture(self, moment: rows.EgoMoment, camera: int, picture: Picture) -> None:
        if picture.instances is not None and self._label_of_instance is not None:
            labels = self._label_of_instance[picture.instances]
            picture = Picture(picture.rgb, picture.depth_m, picture.semantics, labels)
        for component, row in rows.image_rows(moment, camera, picture, self._settings.images.jpeg_quality).items():
            self._writer.append(component, row)

    def _write_ends(self) -> None:
        for mount in self._rig.cameras:
            self._writer.append("camera_calibration", rows.calibration_row(mount))
        times_s = np.array([moment.timestamp_micros for moment in self._moments]) / 1e6
        yaws = yaw_of(np.stack([moment.pose_vehicle_in_world for moment in self._moments]))
        for moment, intent in zip(self._moments, intents(times_s, yaws, np.array(self._in_junction)), strict=True):
            self._writer.append("ego_intent", rows.intent_row(moment.timestamp_micros, int(intent)))

    def _instance_labels(self) -> np.ndarray | None:
        """Table from the simulator's instance ids to label ids; CARLA's own ids name no actor and stay."""
        if not self._server.is_embedded:
            return None
        table = np.zeros(2**16, np.uint16)
        table[self._ego.id & 0xFFFF] = 1
        for tracked in self._tracked:
            table[tracked.actor_id & 0xFFFF] = tracked.label_id
        return table


def _is_labelled(actor: carla.Actor, ego: carla.Vehicle) -> bool:
    return actor.id != ego.id and actor.type_id.startswith(("vehicle.", "walker."))
