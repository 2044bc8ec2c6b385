"""TFRecord framing: known bytes, TensorFlow's own writer, and every kind of damage."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo.tfrecord import (
    ChecksumError,
    RecordError,
    ShortHeaderError,
    ShortPayloadError,
    index_records,
    masked_crc,
    read_record,
    read_records,
    write_records,
)

PAYLOADS = [b"abc", b"", bytes(range(256)) * 40]
STARTS = [0, 19, 35]  # 16 bytes of framing per record


@pytest.fixture
def path(tmp_path):
    write_records(tmp_path / "three.tfrecord", PAYLOADS)
    return tmp_path / "three.tfrecord"


def test_known_answers(tmp_path):
    assert masked_crc(b"123456789") == 0xC78AB0E5
    assert masked_crc(b"") == 0xA282EAD8
    write_records(tmp_path / "abc", [b"abc"])
    assert (tmp_path / "abc").read_bytes().hex() == "0300000000000000b099490e6162636e57f121"


def test_round_trip_and_random_access(path):
    assert list(read_records(path)) == PAYLOADS
    spans = index_records(path)
    assert [span.offset for span in spans] == STARTS
    assert [read_record(path, span) for span in reversed(spans)] == PAYLOADS[::-1]


WRITE_WITH_TENSORFLOW = """
import sys, tensorflow
with tensorflow.io.TFRecordWriter(sys.argv[1]) as writer:
    for payload in sys.argv[2:]:
        writer.write(bytes.fromhex(payload))
"""


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="compares with TensorFlow's writer, which is not installed")
def test_same_bytes_as_tensorflow(path, tmp_path):
    arguments = [str(tmp_path / "theirs"), *(payload.hex() for payload in PAYLOADS)]
    subprocess.run([sys.executable, "-c", WRITE_WITH_TENSORFLOW, *arguments], check=True, capture_output=True)
    assert (tmp_path / "theirs").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("cut", [20, 30, 40, 46])
def test_a_cut_header_is_named(path, cut):
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    record = 1 if cut < 35 else 2
    with pytest.raises(ShortHeaderError, match=f"record {record} at byte {STARTS[record]} ") as caught:
        list(read_records(path))
    assert (caught.value.record, caught.value.offset) == (record, STARTS[record])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("cut", [47, 100, -1])
def test_a_cut_payload_is_named_after_the_intact_records(path, cut):
    path.write_bytes(path.read_bytes()[:cut])
    records = read_records(path)
    assert [next(records), next(records)] == PAYLOADS[:2]
    with pytest.raises(ShortPayloadError, match=r"record 2 at byte 35 needs 10244 bytes"):
        next(records)
    with pytest.raises(ShortPayloadError):
        index_records(path)


@pytest.mark.parametrize(
    ("byte", "part"), [(35, "length"), (42, "length"), (45, "length"), (47, "payload"), (-1, "payload")]
)
def test_a_flipped_bit_is_named(path, byte, part):
    data = bytearray(path.read_bytes())
    data[byte] ^= 4
    path.write_bytes(data)
    with pytest.raises(ChecksumError, match=f"record 2 at byte 35 has a {part}"):
        list(read_records(path))


def test_a_huge_length_with_a_right_checksum_allocates_nothing(tmp_path):
    length = (2**62).to_bytes(8, "little")
    (tmp_path / "huge").write_bytes(length + masked_crc(length).to_bytes(4, "little") + b"x" * 10)
    with pytest.raises(ShortPayloadError):
        list(read_records(tmp_path / "huge"))


def test_a_missing_file_is_refused_at_the_call(tmp_path):
    with pytest.raises(UsageError, match="no TFRecord file"):
        read_records(tmp_path / "none")


def test_a_failing_source_leaves_no_file(tmp_path):
    def broken():
        yield b"one"
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        write_records(tmp_path / "out", broken())
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_records_or_a_record_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(data)
    try:
        accounted = sum(len(record) + 16 for record in read_records(path))
    except RecordError as error:
        accounted = len(data) if error.offset < len(data) else -1
    assert accounted == len(data)
