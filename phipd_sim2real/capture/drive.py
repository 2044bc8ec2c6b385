"""One drive with its cameras and labels, tick by tick, into the tables of a segment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture import rows, scenes, world_labels
from phipd_sim2real.capture.cameras import CameraArray, Frames
from phipd_sim2real.capture.connection import ServerInfo
from phipd_sim2real.capture.intent import intents
from phipd_sim2real.capture.picture_rows import Developed, Rows, Scenery, develop, flow_row, synced_box_rows
from phipd_sim2real.capture.pipeline import RowPipeline
from phipd_sim2real.capture.plan import PlannedSegment, Variation
from phipd_sim2real.capture.rig import CameraMount, Rig
from phipd_sim2real.capture.session import Episode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.traffic import Cast
from phipd_sim2real.drivelog import SegmentWriter
from phipd_sim2real.geometry import yaw_of

if TYPE_CHECKING:
    import carla

ALWAYS_PRESENT = ("camera_image", "lidar_box")
LABEL_TABLES = ("camera_depth", "camera_semantics", "camera_instances")


def warm_up_ticks(settings: CaptureSettings, clock_s: float, embedded: bool) -> int:
    """Ticks before the recording begins, for a world whose clock shows `clock_s`."""
    warm_up = round(settings.warm_up_s / settings.delta_s)
    if embedded:
        # Its cameras expose whenever its clock shows a multiple of their period.
        image_ticks = settings.image_ticks()
        warm_up += -(round(clock_s / settings.delta_s) + warm_up + 1 + image_ticks.start) % image_ticks.step
    return warm_up


class DriveRecorder:
    """Drives one segment and hands its rows to a pipeline."""

    def __init__(
        self,
        held: Episode,
        cast: Cast,
        server: ServerInfo,
        settings: CaptureSettings,
        rig: Rig,
        variation: Variation,
        writer: SegmentWriter,
        pipeline: RowPipeline,
    ) -> None:
        self._held, self._cast, self._server = held, cast, server
        self._settings, self._rig, self._variation = settings, rig, variation
        self._writer, self._pipeline = writer, pipeline
        self._tracked = rows.tracked_objects(held.world, cast.ego)
        self._lights = self._traffic_lights() if "traffic_light" in settings.labels else []
        self._label_of_instance = self._instance_labels()
        self._cameras: CameraArray | None = None
        self._moments: list[rows.EgoMoment] = []
        self._in_junction: list[bool] = []
        self._controls: list[dict[str, float]] = []
        self._ahead_m: list[float] = []
        self._last: dict[int, Future[Developed]] = {}

    def drive(self, warm_up: int, beat: Callable[[], None]) -> None:
        """Warms up, drives, records, and writes what is known only at the end."""
        settings, image_ticks = self._settings, self._settings.image_ticks()
        # A real camera needs frames to settle its exposure; ours is attached when it is first needed.
        attach_at = image_ticks[0] if self._server.is_embedded else -warm_up
        for name in (*ALWAYS_PRESENT, *(LABEL_TABLES if settings.images.labels else ()), *settings.labels):
            self._writer.declare(name)
        for tick in range(-warm_up, settings.total_ticks):
            if tick == attach_at:
                self.attach()
            self.record(tick, *self.observe(tick))
            if tick == image_ticks[-1]:
                self._held.remove_sensors()
                self._cameras = None
            beat()
        self._write_ends()

    def write_scene(self, segment: PlannedSegment, attempts: int) -> None:
        """Writes what was staged and what came of it."""
        drive = rows.drive_track(self._moments, np.array(self._ahead_m))
        row = rows.scene_row(segment, drive, self._variation.weather, attempts, len(self._tracked))
        self._pipeline.append([("drive_scene", row)])

    def attach(self) -> None:
        """Puts the cameras on the ego."""
        attributes = {}
        if self._server.is_embedded:
            attributes["sensor_tick"] = str(self._settings.images.period_s)
            if self._settings.look is not None:
                attributes["look"] = self._settings.look
        self._cameras = CameraArray(self._held, self._cast.ego, self._rig, self._settings.images.labels, attributes)
        if not self._server.is_embedded:
            self._cameras.settle(self._held.tick)

    def observe(self, tick: int) -> tuple[carla.WorldSnapshot, dict[int, Frames]]:
        """Advances the world to a tick, counted from the start of the recording, and receives its pictures, if any."""
        self._cast.before_tick(tick)
        snapshot = self._held.tick()
        if self._cameras is None or (self._server.is_embedded and tick not in self._settings.image_ticks()):
            return snapshot, {}
        return snapshot, self._cameras.take(snapshot.frame)

    def record(self, tick: int, snapshot: carla.WorldSnapshot, frames: dict[int, Frames]) -> None:
        """Hands what was observed at a tick to the pipeline; nothing between two poses or before the start."""
        if tick < 0 or tick % self._settings.ticks_per_pose:
            return
        micros = round(tick * self._settings.delta_s * 1e6)
        moment = rows.ego_moment(snapshot.find(self._cast.ego.id), self._rig, micros)
        self._moments.append(moment)
        self._in_junction.append(self._held.map.get_waypoint(self._cast.ego.get_location()).is_junction)
        self._ahead_m.append(scenes.distance_ahead(*rows.vehicles_around(moment, self._tracked, snapshot)))
        scenery = self._write_moment(moment, snapshot)
        if tick in self._settings.image_ticks():
            self._write_pictures(scenery, frames)

    def _write_moment(self, moment: rows.EgoMoment, snapshot: carla.WorldSnapshot) -> Scenery:
        """Writes poses, boxes and what else is recorded ten times a second."""
        boxes = [
            (tracked, row)
            for tracked in self._tracked
            if (row := rows.box_row(moment, tracked, snapshot.find(tracked.actor_id))) is not None
        ]
        kinds = tuple(tracked.kind for tracked, _ in boxes)
        made = [("vehicle_pose", rows.pose_row(moment)), *(("lidar_box", row) for _, row in boxes)]
        made.append(("stats", rows.stats_row(moment, self._held.map.name, self._variation.weather, list(kinds))))
        if "ego_state" in self._settings.labels:
            self._controls.append(world_labels.control_values(self._cast.ego))
        if "traffic_light" in self._settings.labels:
            lights = world_labels.traffic_light_rows(self._lights, self._cast.ego, moment)
            made += [("traffic_light", row) for row in lights]
        self._pipeline.append(made)
        names = tuple(tracked.name for tracked, _ in boxes)
        return Scenery(moment, names, kinds, tuple(rows.box_of(row) for _, row in boxes))

    def _write_pictures(self, scenery: Scenery, frames: dict[int, Frames]) -> None:
        submit, labels = self._pipeline.submit, self._settings.labels
        mounts = {mount.camera: mount for mount in self._rig.cameras}
        quality = self._settings.images.jpeg_quality
        developed = {
            camera: submit(develop, seen, scenery, mounts[camera], self._label_of_instance, quality, labels)
            for camera, seen in frames.items()
        }
        for camera, future in developed.items():
            self._pipeline.append(submit(lambda made=future: made.result().rows), frames[camera].size_bytes)
            if "camera_flow" in labels and camera in self._last:
                self._pipeline.append(submit(_flow_rows, mounts[camera], self._last[camera], future))
        if "lidar_camera_synced_box" in labels:
            self._pipeline.append(submit(_synced_rows, developed))
        if "camera_flow" in labels:
            self._last = developed

    def _write_ends(self) -> None:
        made = [("camera_calibration", rows.calibration_row(mount)) for mount in self._rig.cameras]
        times_s = np.array([moment.timestamp_micros for moment in self._moments]) / 1e6
        poses = np.stack([moment.pose_vehicle_in_world for moment in self._moments])
        found = intents(times_s, yaw_of(poses), np.array(self._in_junction))
        for moment, intent in zip(self._moments, found, strict=True):
            made.append(("ego_intent", rows.intent_row(moment.timestamp_micros, int(intent))))
        if "ego_state" in self._settings.labels:
            made += [("ego_state", row) for row in world_labels.ego_state_rows(self._moments, self._controls)]
        if "map_lane" in self._settings.labels:
            made += [("map_lane", row) for row in world_labels.lane_rows(self._held.map, poses[:, :3, 3])]
        self._pipeline.append(made)

    def _traffic_lights(self) -> list[carla.TrafficLight]:
        lights = self._held.world.get_actors().filter("traffic.traffic_light*")
        return sorted(lights, key=world_labels.light_name)

    def _instance_labels(self) -> np.ndarray | None:
        """Table from the simulator's instance ids to label ids; CARLA's own ids name no actor and stay."""
        if not self._server.is_embedded:
            return None
        table = np.zeros(2**16, np.uint16)
        table[self._cast.ego.id & 0xFFFF] = 1
        for tracked in self._tracked:
            table[tracked.actor_id & 0xFFFF] = tracked.label_id
        return table


def _flow_rows(mount: CameraMount, first: Future[Developed], second: Future[Developed]) -> Rows:
    return [("camera_flow", flow_row(mount, first.result(), second.result()))]


def _synced_rows(developed: dict[int, Future[Developed]]) -> Rows:
    return synced_box_rows([(camera, future.result()) for camera, future in developed.items()])
