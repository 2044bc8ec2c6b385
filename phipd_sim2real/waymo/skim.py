"""Reading protobuf messages without the large fields in them: pictures are skipped on disk, not read.

On the wire a message is a sequence of fields, each a varint `number << 3 | type` followed by its value: type 0 a
varint, 1 eight bytes, 2 a varint length and that many bytes, 5 four bytes. Fields may be left out of it freely.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, TypeAlias

Skipped: TypeAlias = "Mapping[int, Skipped | None]"
"""Field numbers that are not read: None skips the whole field, a mapping skips fields of the message in it."""

E2E_SKIPPED: Skipped = {1: {4: None}}
"""The pictures of an E2EDFrame."""

FRAME_SKIPPED: Skipped = dict.fromkeys(range(4, 12))
"""All of a Perception Frame but its context, time and pose."""

VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES = 0, 1, 2, 5
LONGEST_VARINT = 10


def skim(stream: BinaryIO, length: int, skipped: Skipped) -> bytes:
    """A serialised message without the skipped fields.

    Args:
        stream: stands at the message's first byte; it is left somewhere within the message.
        length: of the message, bytes.
        skipped: what is not read.

    Returns:
        The rest, which parses as the same message.

    Raises:
        ValueError: the bytes are not a serialised message.
    """
    kept, left = bytearray(), length
    while left > 0:
        key, key_bytes = _varint(stream)
        number, kind = key >> 3, key & 7
        if kind == LENGTH_DELIMITED:
            size, size_bytes = _varint(stream)
            left -= len(key_bytes) + len(size_bytes) + size
            _require_within(left)
            kept += _delimited(stream, key_bytes, size_bytes, size, number, skipped)
        else:
            value = _scalar(stream, kind)
            left -= len(key_bytes) + len(value)
            _require_within(left)
            kept += b"" if number in skipped else key_bytes + value
    return bytes(kept)


def _delimited(
    stream: BinaryIO, key_bytes: bytes, size_bytes: bytes, size: int, number: int, skipped: Skipped
) -> bytes:
    """A length-delimited field as it is kept: nothing, all of it, or its message skimmed."""
    if number not in skipped:
        return key_bytes + size_bytes + stream.read(size)
    inner, end = skipped[number], stream.tell() + size
    part = b"" if inner is None else skim(stream, size, inner)
    stream.seek(end)
    return b"" if inner is None else key_bytes + _encoded(len(part)) + part


def _scalar(stream: BinaryIO, kind: int) -> bytes:
    if kind == VARINT:
        return _varint(stream)[1]
    if kind in (EIGHT_BYTES, FOUR_BYTES):
        return stream.read(8 if kind == EIGHT_BYTES else 4)
    raise ValueError(f"a field has wire type {kind}, which messages do not have")


def _varint(stream: BinaryIO) -> tuple[int, bytes]:
    """A varint's value and its bytes: seven bits a byte, the lowest first."""
    value, data = 0, bytearray()
    while len(data) < LONGEST_VARINT:
        byte = stream.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << (7 * len(data))
        data += byte
        if byte[0] < 0x80:
            return value, bytes(data)
    raise ValueError("a number in it does not end")


def _encoded(value: int) -> bytes:
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _require_within(left: int) -> None:
    if left < 0:
        raise ValueError("a field is longer than what is left of the message")
