"""Rigs with the cameras of a real car, read from the calibrations in Waymo's records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from phipd_sim2real.capture.rig import CameraMount, Lens, Rig
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path
from phipd_sim2real.geometry import pose_to_carla
from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.protos import dataset_protos, e2e_protos, read_calibrations, record_files
from phipd_sim2real.waymo.tfrecord import read_records


def rig_from_record(source: Path | str, cameras: Sequence[int] | None = None, scale: float = 1.0) -> Rig:
    """A rig with the cameras of the first record of a Perception or end-to-end file.

    Args:
        source: a TFRecord file, a folder of them, or a pattern.
        cameras: Waymo's ids of the wanted cameras; None takes all.
        scale: size of the pictures against the record's, more than 0 and at most 1.

    Raises:
        UsageError: no such record, no calibrations in it, an absent camera, or a bad scale.
    """
    if not 0 < scale <= 1:
        raise UsageError(f"scale = {scale:g} must be more than 0 and at most 1, the size of the record's pictures.")
    path = record_files(source)[0]
    calibrations = _first_calibrations(path)
    wanted = sorted(calibrations) if cameras is None else list(cameras)
    if absent := set(wanted) - set(calibrations):
        raise UsageError(f"{path} has no camera {sorted(absent)}; it has cameras {sorted(calibrations)}.")
    return Rig(cameras=tuple(mount_from_calibration(camera, calibrations[camera], scale) for camera in wanted))


def mount_from_calibration(camera: int, calibration: Calibration, scale: float = 1.0) -> CameraMount:
    """The mount whose calibration is the given one, for pictures of `scale` times its size.

    A size that does not come out even is rounded, which cuts or adds less than a pixel at the right and lower border.
    """
    f_u, f_v, c_u, c_v, *distortion = (float(value) for value in calibration.intrinsic)
    (x, y, z), (pitch, yaw, roll) = pose_to_carla(calibration.extrinsic)
    return CameraMount(
        camera=camera,
        width=round(calibration.width * scale),
        height=round(calibration.height * scale),
        lens=Lens(
            **dict(zip(("f_u", "f_v", "c_u", "c_v"), np.array([f_u, f_v, c_u, c_v]) * scale, strict=True)),
            **dict(zip(("k1", "k2", "p1", "p2", "k3"), distortion, strict=True)),
        ),
        position_in_vehicle=(float(x), float(-y), float(z)),
        yaw_degrees=float(-yaw),
        pitch_degrees=float(pitch),
        roll_degrees=float(roll),
    )


def write_rig(rig: Rig, path: Path, comment: str) -> None:
    """Writes a rig as YAML, under a line of comment.

    Raises:
        UsageError: the file exists; nothing is overwritten.
    """
    if path.exists():
        raise UsageError(f"{path} exists already; give another file.")
    text = yaml.safe_dump(rig.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)
    with atomic_path(path) as temporary:
        temporary.write_text(f"# {comment}\n{text}")


def _first_calibrations(path: Path) -> dict[int, Calibration]:
    """Calibrations of the first record, whichever of the two kinds it is."""
    from google.protobuf.message import DecodeError

    payload = next(iter(read_records(path)), None)
    if payload is None:
        raise UsageError(f"{path} holds no record.")
    for message_class, context_of in (
        (dataset_protos().Frame, lambda frame: frame.context),
        (e2e_protos().E2EDFrame, lambda frame: frame.frame.context),
    ):
        try:
            context = context_of(message_class.FromString(payload))
        except DecodeError:
            continue
        if context.camera_calibrations:
            return read_calibrations(context, f"{path}: record 0")
    raise UsageError(f"{path}: record 0 is neither a Perception frame nor an end-to-end frame with calibrations.")
