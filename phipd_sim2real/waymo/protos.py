"""Waymo's generated protos, imported when first used, and what is made of their messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.camera_model import Calibration
from phipd_sim2real.waymo.sample import SampleError
from phipd_sim2real.waymo.storage import find_record_files
from phipd_sim2real.waymo.tfrecord import index_records

GLOBAL_SHUTTER = 5

Message = TypeVar("Message")


def dataset_protos() -> ModuleType:
    """`waymo_open_dataset.dataset_pb2`: Frame and what it holds.

    Raises:
        UsageError: the package is not installed.
    """
    return _import("waymo_open_dataset.dataset_pb2")


def e2e_protos() -> ModuleType:
    """`end_to_end_driving_data_pb2`: E2EDFrame and EgoTrajectoryStates.

    Raises:
        UsageError: the package is not installed.
    """
    return _import("waymo_open_dataset.protos.end_to_end_driving_data_pb2")


def submission_protos() -> ModuleType:
    """`end_to_end_driving_submission_pb2`: E2EDChallengeSubmission.

    Raises:
        UsageError: the package is not installed.
    """
    return _import("waymo_open_dataset.protos.end_to_end_driving_submission_pb2")


def parse(message_class: type[Message], payload: bytes, path: Path | str, record: int) -> Message:
    """One record as a message.

    Raises:
        SampleError: the payload is not such a message; names file and record.
    """
    from google.protobuf.message import DecodeError

    try:
        return message_class.FromString(payload)
    except DecodeError as error:
        raise SampleError(
            "damaged_record",
            f"{path}: record {record} is not a {message_class.__name__} message; "
            "Perception files hold Frame, end-to-end files hold E2EDFrame: give the file to the other reader.",
        ) from error


def record_files(source: Path | str) -> list[Path]:
    """The TFRecord files that `source` means, none of them cut off.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern.

    Raises:
        UsageError: there is none.
        RecordError: one is cut off or a header is damaged. Headers are read before any work, payloads are not.
    """
    files = [Path(file.address) for file in find_record_files(source)]
    for path in files:
        index_records(path)
    return files


def log_name(file_name: str) -> str:
    """Name of the log to which a record file belongs: shards of one split share it."""
    return file_name.split(".tfrecord")[0]


def read_calibrations(context: Any, origin: str) -> dict[int, Calibration]:
    """Camera id -> calibration, from a `Context` message.

    Raises:
        SampleError: a calibration is incomplete.
    """
    calibrations = {}
    for proto in context.camera_calibrations:
        if len(proto.intrinsic) != 9 or len(proto.extrinsic.transform) != 16:
            raise SampleError(
                "incomplete_record",
                f"{origin}: the calibration of camera {proto.name} has {len(proto.intrinsic)} intrinsic and "
                f"{len(proto.extrinsic.transform)} extrinsic numbers; Waymo's have 9 and 16.",
            )
        calibrations[proto.name] = Calibration(
            intrinsic=np.array(proto.intrinsic, dtype=np.float64),
            extrinsic=np.array(proto.extrinsic.transform, dtype=np.float64).reshape(4, 4),
            width=proto.width,
            height=proto.height,
        )
    return calibrations


def require_calibrated(calibrations: Collection[int], cameras: Collection[int], origin: str) -> None:
    """Refuses pictures of cameras whose lens and place nobody knows.

    Raises:
        SampleError: a camera has no calibration.
    """
    if absent := sorted(set(cameras) - set(calibrations)):
        raise SampleError(
            "missing_calibration",
            f"{origin} has no calibration of camera {absent}; it has those of cameras {sorted(calibrations)}.",
        )


def write_calibrations(context: Any, calibrations: Mapping[int, Calibration]) -> None:
    """Appends calibrations to a `Context` message, by rising camera id."""
    for camera, calibration in sorted(calibrations.items()):
        proto = context.camera_calibrations.add(
            name=camera,
            intrinsic=calibration.intrinsic,
            width=calibration.width,
            height=calibration.height,
            rolling_shutter_direction=GLOBAL_SHUTTER,
        )
        proto.extrinsic.transform.extend(calibration.extrinsic.ravel())


def read_jpegs(images: Iterable[Any]) -> dict[int, bytes]:
    """Camera id -> JPEG bytes, by rising id; they come in any order, and some files hold empty pictures."""
    return {image.name: image.image for image in sorted(images, key=lambda image: image.name) if image.image}


def decode(jpegs: Mapping[int, bytes], cameras: Iterable[int] | None, origin: str) -> dict[int, np.ndarray]:
    """Decodes the wanted cameras (None: all there are) to (H, W, 3) uint8 RGB.

    Raises:
        SampleError: a wanted camera is absent, or its bytes are no JPEG.
    """
    wanted = list(jpegs) if cameras is None else list(cameras)
    absent = [camera for camera in wanted if camera not in jpegs]
    if absent:
        raise SampleError(
            "missing_camera", f"{origin} has no picture of camera {absent}; it has cameras {list(jpegs)}."
        )
    return {camera: _decode_jpeg(jpegs[camera], f"{origin}, camera {camera}") for camera in wanted}


def _decode_jpeg(data: bytes, origin: str) -> np.ndarray:
    from phipd_sim2real.drivelog import decode_jpeg

    try:
        return decode_jpeg(data)
    except ValueError as error:
        raise SampleError("decode_error", f"{origin}: {error}") from error


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"Reading Waymo's records needs {name} of the package waymo-open-dataset-tf-2-12-0, which is not "
            "installed; run `make setup`, or install the extra: pip install 'phipd-sim2real[waymo]'."
        ) from error
