"""TFRecord files, the framing of Waymo's datasets, without TensorFlow.

A record is, little-endian: uint64 payload length, masked CRC-32C of those 8 bytes, payload, masked CRC-32C of
the payload. There is no compression.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path

HEADER_BYTES = 12  # length and its checksum
FOOTER_BYTES = 4
MASK_DELTA = 0xA282EAD8


class RecordError(UsageError):
    """A TFRecord file is damaged.

    Attributes:
        path: the file.
        record: number of the damaged record, from 0.
        offset: byte at which that record begins.
    """

    def __init__(self, path: Path | str, record: int, offset: int, problem: str) -> None:
        super().__init__(
            f"{path}: record {record} at byte {offset} {problem}. "
            "Copy or download the file again; the records before this one are intact."
        )
        self.path, self.record, self.offset = path, record, offset


class ShortHeaderError(RecordError):
    """The file ends within a record's 12-byte header."""


class ShortPayloadError(RecordError):
    """The file ends before the payload and its checksum."""


class ChecksumError(RecordError):
    """A length or a payload does not have the checksum written beside it."""


@dataclass(frozen=True)
class RecordSpan:
    """Where one record lies: the byte at which its header begins, and its payload's length in bytes."""

    offset: int
    length: int


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli) of `data`, rotated and shifted as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def read_records(path: Path | str) -> Iterator[bytes]:
    """The payloads of a TFRecord file, one after the other, both checksums tested.

    Raises:
        UsageError: the file does not exist (at the call).
        RecordError: a record is cut off or damaged (when it is reached).
    """
    return _payloads(_existing(path))


def index_records(path: Path | str) -> list[RecordSpan]:
    """Where the records of a file lie; reads the headers only, so a payload is not tested.

    Raises:
        RecordError: a header is damaged or the file is cut off.
    """
    path = _existing(path)
    with path.open("rb") as stream:
        return list(walk_headers(stream, path, path.stat().st_size))


def walk_headers(stream: BinaryIO, path: Path | str, size: int) -> Iterator[RecordSpan]:
    """Where the records of an open file lie, one after the other, their lengths tested.

    At each record the stream stands at the first byte of its payload; how much of it is read is the caller's choice.

    Args:
        stream: a file that can seek.
        path: its name, for the errors' sentences.
        size: its size in bytes.

    Raises:
        RecordError: a header is damaged or the file is cut off (when that is reached).
    """
    offset = record = 0
    while offset < size:
        stream.seek(offset)
        length = _read_length(stream, path, record, offset, size)
        yield RecordSpan(offset, length)
        offset += HEADER_BYTES + length + FOOTER_BYTES
        record += 1


def read_record(path: Path | str, span: RecordSpan, record: int = 0) -> bytes:
    """The payload of the record at `span`; `record` is its number, for the error's sentence.

    Raises:
        RecordError: the record is cut off or damaged.
    """
    path = _existing(path)
    with path.open("rb") as stream:
        return read_record_at(stream, path, path.stat().st_size, span, record)


def read_record_at(stream: BinaryIO, path: Path | str, size: int, span: RecordSpan, record: int) -> bytes:
    """As `read_record`, from an open file of `size` bytes."""
    stream.seek(span.offset)
    length = _read_length(stream, path, record, span.offset, size)
    return _read_payload(stream, path, record, span.offset, length)


def write_records(path: Path | str, records: Iterable[bytes]) -> int:
    """Writes payloads to a TFRecord file, byte for byte as TensorFlow does; the file is complete or absent.

    Returns:
        The number of records.
    """
    count = 0
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as stream:
        for payload in records:
            length = struct.pack("<Q", len(payload))
            stream.write(length + struct.pack("<I", masked_crc(length)))
            stream.write(payload)
            stream.write(struct.pack("<I", masked_crc(payload)))
            count += 1
    return count


def _payloads(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        for record, span in enumerate(walk_headers(stream, path, path.stat().st_size)):
            yield _read_payload(stream, path, record, span.offset, span.length)


def _read_length(stream: BinaryIO, path: Path | str, record: int, offset: int, size: int) -> int:
    """Reads a header; the length it gives is proven by its checksum and by the bytes that are left."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        raise ShortHeaderError(
            path,
            record,
            offset,
            f"has {len(header)} of the {HEADER_BYTES} bytes of its header: the file is cut off",
        )
    length, crc = struct.unpack("<QI", header)
    if crc != masked_crc(header[:8]):
        raise ChecksumError(path, record, offset, "has a length that does not match its checksum")
    left = size - offset - HEADER_BYTES
    if length + FOOTER_BYTES > left:
        raise ShortPayloadError(
            path,
            record,
            offset,
            f"needs {length + FOOTER_BYTES} bytes after its header and {left} are left: the file is cut off",
        )
    return length


def _read_payload(stream: BinaryIO, path: Path | str, record: int, offset: int, length: int) -> bytes:
    payload = stream.read(length)
    (crc,) = struct.unpack("<I", stream.read(FOOTER_BYTES))
    if crc != masked_crc(payload):
        raise ChecksumError(path, record, offset, "has a payload that does not match its checksum")
    return payload


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"There is no TFRecord file {path}; give the path of an existing file.")
    return path
