"""The drive log: the one format in which drives pass from stage to stage (Waymo Open Dataset v2 layout)."""

from phipd_sim2real.drivelog.completion import Completion, completed_segments
from phipd_sim2real.drivelog.images import (
    METRES_PER_UNIT,
    decode_depth,
    decode_jpeg,
    decode_labels,
    encode_depth,
    encode_jpeg,
    encode_labels,
)
from phipd_sim2real.drivelog.provenance import (
    Provenance,
    collect_versions,
    current_commit,
    read_provenance,
    update_provenance,
    write_provenance,
)
from phipd_sim2real.drivelog.reader import DriveLog
from phipd_sim2real.drivelog.schema import CAMERA, OBJECT, SCHEMAS, SEGMENT, TIMESTAMP, column
from phipd_sim2real.drivelog.writer import SegmentWriter

__all__ = [
    "CAMERA",
    "METRES_PER_UNIT",
    "OBJECT",
    "SCHEMAS",
    "SEGMENT",
    "TIMESTAMP",
    "Completion",
    "DriveLog",
    "Provenance",
    "SegmentWriter",
    "collect_versions",
    "column",
    "completed_segments",
    "current_commit",
    "decode_depth",
    "decode_jpeg",
    "decode_labels",
    "encode_depth",
    "encode_jpeg",
    "encode_labels",
    "read_provenance",
    "update_provenance",
    "write_provenance",
]
