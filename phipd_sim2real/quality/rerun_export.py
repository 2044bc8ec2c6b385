"""A drive log as a recording for the rerun viewer: one .rrd file with everything in it, in Waymo's frames.

Each segment is a tree of its own: `SEGMENT` is the world (right-handed, z up), `SEGMENT/vehicle` the rear axle,
`SEGMENT/vehicle/CAMERA` a camera (x forward, y left, z up) with `picture`, `source`, `depth` and `semantics` in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from phipd_sim2real.drivelog import CAMERA, OBJECT, TIMESTAMP, DriveLog, column, decode_labels, encode_labels
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.log_frames import open_log
from phipd_sim2real.quality.overlays import CLASSES
from phipd_sim2real.waymo.camera_model import CAMERA_NAMES
from phipd_sim2real.waymo.perception import BOX_TYPES

if TYPE_CHECKING:
    import pandas as pd
    import rerun

TIMELINE = "frame_time"
ROWS_AT_ONCE = 8
FARTHEST_M = 300.0
"""Depth beyond, the sky's above all, is left out: drawn as points it is a wall that hides the world."""
CARLA_COLOURS = (
    (0, 0, 0), (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
    (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
    (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32), (110, 190, 160), (170, 120, 50),
    (55, 90, 80), (45, 60, 150), (157, 234, 50), (81, 0, 81), (150, 100, 100), (230, 150, 140), (180, 165, 180),
)  # fmt: skip
"""RGB of CARLA 0.9.16's CityScapesPalette, by label."""

BOX_COLOURS = ((160, 160, 160), (60, 140, 255), (255, 80, 120), (255, 210, 0), (80, 220, 140))
"""By Waymo's box type."""

LANE_LINES = {"centre": (120, 120, 120), "left_boundary": (230, 230, 230), "right_boundary": (230, 230, 230)}


def export_recording(
    path: Path, out: Path, progress: ProgressCallback | None = None, source: Path | None = None
) -> None:
    """Writes a drive log as a rerun recording; open it with `rerun OUT`.

    Pictures keep their bytes and rows are streamed, so memory does not grow with the log. A camera is shown
    as a pinhole: its distortion, if any, is left out.

    Args:
        path: captured or enhanced drive log.
        out: the .rrd file; replaced when the new one is whole.
        progress: called as progress(label, done, total), by segment.
        source: the log that an enhanced one was made from; None finds it by the provenance.

    Raises:
        UsageError: rerun is not installed, or `path` is no drive log with complete segments.
    """
    rr = import_rerun()
    frames = open_log(path, source)
    segments = frames.log.segments
    stream = rr.RecordingStream(f"phipd {path.resolve().name}", send_properties=False)
    stream.set_log_time_enabled(False)
    stream.set_log_tick_enabled(False)
    with atomic_path(out) as temporary:
        stream.save(temporary, default_blueprint=_layout(rr, frames.log))
        for number, segment in enumerate(segments, start=1):
            _Segment(rr, stream, segment).write(frames.log, frames.source)
            if progress is not None:
                progress("export to rerun", number, len(segments))
        stream.disconnect()


def import_rerun() -> ModuleType:
    """The rerun module.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import rerun
    except ImportError as error:
        raise UsageError("The rerun package is missing; pip install 'phipd-sim2real[rerun]'.") from error
    return rerun


class _Segment:
    """Logs the tables of one segment."""

    def __init__(self, rr: ModuleType, stream: rerun.RecordingStream, name: str) -> None:
        self._rr, self._stream, self._name = rr, stream, name

    def write(self, log: DriveLog, source: DriveLog | None) -> None:
        rr, tables = self._rr, log.components(self._name)
        names = {label: name for label, (name, _) in CLASSES.items()}
        classes = [(label, names.get(label, "none"), colour) for label, colour in enumerate(CARLA_COLOURS)]
        self._log([], rr.ViewCoordinates.RIGHT_HAND_Z_UP, rr.AnnotationContext(classes), static=True)
        for _, row in log.table("camera_calibration", self._name).iterrows():
            self._log(["vehicle", _camera(row)], *self._camera_of(row), static=True)
        self._write_motion(log.table("vehicle_pose", self._name))
        if "lidar_box" in tables:
            self._write_boxes(log.table("lidar_box", self._name), log.table("vehicle_pose", self._name)[TIMESTAMP])
        if "map_lane" in tables:
            self._write_lanes(log.table("map_lane", self._name))
        self._stream_pictures(log, "camera_image", "picture")
        if source is not None:
            self._stream_pictures(source, "camera_image", "source")
        for component in sorted({"camera_depth", "camera_semantics"} & set(tables)):
            self._stream_pictures(log, component, component.removeprefix("camera_"))

    def _log(self, path: list[str], *archetypes: rerun.AsComponents, static: bool = False) -> None:
        self._stream.log([self._name, *path], *archetypes, static=static)

    def _at(self, row: Any) -> None:
        self._stream.set_time(TIMELINE, duration=np.timedelta64(int(row[TIMESTAMP]), "us"))

    def _camera_of(self, row: pd.Series) -> tuple[rerun.Transform3D, rerun.Pinhole]:
        names = (*(f"intrinsic.{name}" for name in ("f_u", "f_v", "c_u", "c_v")), "width", "height")
        f_u, f_v, c_u, c_v, width, height = (row[column("camera_calibration", name)] for name in names)
        pinhole = self._rr.Pinhole(
            focal_length=[f_u, f_v],
            principal_point=[c_u, c_v],
            resolution=[width, height],
            camera_xyz=self._rr.ViewCoordinates.FLU,
            image_plane_distance=1.0,
        )
        return self._transform(row[column("camera_calibration", "extrinsic.transform")]), pinhole

    def _transform(self, values: np.ndarray) -> rerun.Transform3D:
        pose = np.reshape(values, (4, 4))
        return self._rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3])

    def _write_motion(self, poses: pd.DataFrame) -> None:
        transforms = poses[column("vehicle_pose", "world_from_vehicle.transform")]
        for (_, row), values in zip(poses.iterrows(), transforms, strict=True):
            self._at(row)
            self._log(["vehicle"], self._transform(values))
        path = np.stack(transforms).reshape(-1, 4, 4)[:, :3, 3]
        self._log(["trajectory"], self._rr.LineStrips3D([path], colors=[(255, 150, 40)], radii=0.1), static=True)

    def _write_boxes(self, boxes: pd.DataFrame, times: pd.Series) -> None:
        """Logs the boxes of every moment, also of those without any: what was logged before would stay."""
        for time in times:
            here = boxes[boxes[TIMESTAMP] == time]
            centres, sizes = (
                here[[column("lidar_box", f"box.{part}.{axis}") for axis in "xyz"]].to_numpy()
                for part in ("center", "size")
            )
            half = here[column("lidar_box", "box.heading")].to_numpy() / 2
            kinds = here[column("lidar_box", "type")].tolist()
            boxes_3d = self._rr.Boxes3D(
                centers=centres,
                half_sizes=sizes / 2,
                quaternions=np.stack([half * 0, half * 0, np.sin(half), np.cos(half)], axis=-1),
                colors=np.array([BOX_COLOURS[kind] for kind in kinds], np.uint8).reshape(-1, 3),
                labels=[f"{BOX_TYPES[kind]} {name}" for kind, name in zip(kinds, here[OBJECT], strict=True)],
            )
            self._at({TIMESTAMP: time})
            self._log(["vehicle", "boxes"], boxes_3d)

    def _write_lanes(self, lanes: pd.DataFrame) -> None:
        for line, colour in LANE_LINES.items():
            strips = [np.reshape(points, (-1, 3)) for points in lanes[column("map_lane", line)]]
            self._log(["lanes", line], self._rr.LineStrips3D(strips, colors=[colour]), static=True)

    def _stream_pictures(self, log: DriveLog, component: str, entity: str) -> None:
        for row in _rows(log.path(component, self._name)):
            self._at(row)
            self._log(["vehicle", _camera(row), entity], self._picture(row, component))
            self._stream.flush()

    def _picture(self, row: dict[str, Any], component: str) -> rerun.AsComponents:
        data = row[column(component, "image")]
        if component == "camera_image":
            return self._rr.EncodedImage(contents=data, media_type="image/jpeg")
        if component == "camera_semantics":
            return self._rr.SegmentationImage(decode_labels(data))
        units, units_per_metre = decode_labels(data), 1 / row[column(component, "metres_per_unit")]
        units[units > FARTHEST_M * units_per_metre] = 0  # the viewer's "not measured"
        return self._rr.EncodedDepthImage(encode_labels(units), media_type="image/png", meter=units_per_metre)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a table of pictures, a few at a time in memory."""
    with pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name.startswith("key.") or "].image" in name]
        names += [name for name in file.schema_arrow.names if name.endswith("metres_per_unit")]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
            yield from batch.to_pylist()


def _camera(row: Any) -> str:
    return CAMERA_NAMES.get(int(row[CAMERA]), f"CAMERA_{row[CAMERA]}")


def _layout(rr: ModuleType, log: DriveLog) -> rerun.blueprint.Blueprint:
    """One tab per segment: the world, and beside it what each camera sees."""
    views = rr.blueprint
    tabs = []
    for segment in log.segments:
        root = f"/{rr.escape_entity_path_part(segment)}"
        cameras = [_camera(row) for _, row in log.table("camera_calibration", segment).iterrows()]
        pictures = [views.Spatial2DView(origin=f"{root}/vehicle/{camera}", name=camera) for camera in cameras]
        world = views.Spatial3DView(origin=root, name="world")
        tabs.append(views.Horizontal(world, views.Vertical(*pictures), column_shares=[2, 1], name=segment))
    return views.Blueprint(views.Tabs(*tabs), collapse_panels=True)
