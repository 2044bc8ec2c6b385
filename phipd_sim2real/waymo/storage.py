"""Record files on a disk or, through TensorFlow, wherever it reaches (gs://)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Literal

from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.waymo.tfrecord import RecordError, RecordSpan, read_records, walk_headers

Backend = Literal["local", "tensorflow"]
"""What reads the files: our own reader, or TensorFlow (tf.data and tf.io.gfile)."""

READ_AHEAD_RECORDS = 4
MAX_FAILED_SHARE = 0.02
"""Share of the records' bytes that may be lost to damage, where nothing else is said."""

NOT_RECORDS = (".json", ".parquet")
"""What lies beside records and has names like theirs: the lists of a split, and indices."""

_CLOUD = re.compile(r"gs:/+")


@dataclass(frozen=True)
class RecordFile:
    """One TFRecord file.

    Attributes:
        address: path, or gs:// address.
        size: bytes.
        mtime_ns: time of its last change.
        backend: what reads it.
    """

    address: str
    size: int
    mtime_ns: int
    backend: Backend

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.address.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The address without its last part."""
        return self.address.rpartition("/")[0] or "."

    def open(self) -> BinaryIO:
        """Opens the file for reading and seeking."""
        return _tensorflow().io.gfile.GFile(self.address, "rb") if self.backend == "tensorflow" else self._open_local()

    def payloads(self) -> Iterator[bytes]:
        """The records' payloads in the file's order, both checksums tested.

        Raises:
            RecordError: a record is cut off or damaged (when it is reached).
        """
        return self._payloads_of_tf_data() if self.backend == "tensorflow" else read_records(self.address)

    def _open_local(self) -> BinaryIO:
        return Path(self.address).open("rb")

    def _payloads_of_tf_data(self) -> Iterator[bytes]:
        tensorflow = _tensorflow()
        records = tensorflow.data.TFRecordDataset(self.address).prefetch(READ_AHEAD_RECORDS).as_numpy_iterator()
        record = offset = 0
        while True:
            try:
                payload = next(records)
            except StopIteration:
                return
            except tensorflow.errors.DataLossError as error:
                raise RecordError(self.address, record, offset, f"is damaged ({error.message})") from error
            yield payload
            record, offset = record + 1, offset + len(payload) + 16


@dataclass(frozen=True)
class Damage:
    """A place in a shard that could not be read.

    Attributes:
        shard: name of the file.
        offset: byte at which the damaged record begins.
        lost_bytes: the record, or all up to the end of the file where its length is unknown.
        problem: what is wrong, with path, record and offset.
        ends_file: whether nothing behind it can be read.
    """

    shard: str
    offset: int
    lost_bytes: int
    problem: str
    ends_file: bool = False


def require_few_lost(damage: Sequence[Damage], files: Sequence[RecordFile], max_failed_share: float) -> None:
    """Refuses files of which too much is damaged.

    Raises:
        StageError: the lost bytes are more than that share of all; every place is named.
    """
    total, lost = sum(file.size for file in files), sum(place.lost_bytes for place in damage)
    if lost > max_failed_share * total:
        raise StageError(
            f"{lost} of {total} bytes of the records ({lost / total:.1%}) cannot be read, in {len(damage)} "
            f"places; at most {max_failed_share:.1%} may be lost (max_failed_share). "
            + " ".join(place.problem for place in damage)
        )


def spans_until_damage(stream: BinaryIO, file: RecordFile, damage: list[Damage]) -> Iterator[RecordSpan]:
    """Where the records of an open file lie, up to its end or to a damaged header, which is put into `damage`.

    At each record the stream stands at the first byte of its payload.
    """
    try:
        yield from walk_headers(stream, file.address, file.size)
    except RecordError as error:
        damage.append(Damage(file.name, error.offset, file.size - error.offset, str(error), ends_file=True))


def find_record_files(source: Path | str, backend: Backend = "local") -> list[RecordFile]:
    """The TFRecord files that `source` means, by name; lists and indices beside them are passed over.

    Args:
        source: a file, a folder of `*.tfrecord*` files, or a glob pattern; gs:// addresses too.
        backend: what reads them; gs:// is always read by TensorFlow.

    Raises:
        UsageError: there is none, or TensorFlow is wanted and not installed.
    """
    if cloud := _CLOUD.match(str(source)):
        files = _remote_files("gs://" + str(source)[cloud.end() :])
    elif backend == "tensorflow":
        files = _remote_files(str(source))
    else:
        files = [
            RecordFile(str(path), path.stat().st_size, path.stat().st_mtime_ns, "local")
            for path in _local_paths(Path(source))
        ]
    files = [file for file in files if not file.name.endswith(NOT_RECORDS)]
    if not files:
        raise UsageError(
            f"There are no TFRecord files at {source}; give a file, a folder of *.tfrecord* files, "
            "or a quoted pattern such as 'val*.tfrecord-*'."
        )
    return files


def read_text(address: Path | str) -> str | None:
    """A text file on a disk or, through TensorFlow, in a bucket; None where there is none.

    Raises:
        UsageError: it is in a bucket, and TensorFlow is not installed or cannot read it.
    """
    cloud = _CLOUD.match(str(address))
    if cloud is None:
        return Path(address).read_text() if Path(address).is_file() else None
    tensorflow, address = _tensorflow(), "gs://" + str(address)[cloud.end() :]
    try:
        with tensorflow.io.gfile.GFile(address) as file:
            return file.read()
    except tensorflow.errors.NotFoundError:
        return None
    except tensorflow.errors.OpError as error:
        raise _unreadable(address, error.message) from error


def _local_paths(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    folder, pattern = (source, "*.tfrecord*") if source.is_dir() else (source.parent, source.name)
    return sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))


def _remote_files(source: str) -> list[RecordFile]:
    tensorflow = _tensorflow()
    gfile = tensorflow.io.gfile
    try:
        pattern = f"{source.rstrip('/')}/*.tfrecord*" if gfile.isdir(source) else source
        addresses = sorted(gfile.glob(pattern))
        stats = [gfile.stat(address) for address in addresses]
    except tensorflow.errors.OpError as error:
        raise _unreadable(source, error.message) from error
    return [
        RecordFile(address, int(stat.length), int(stat.mtime_nsec), "tensorflow")
        for address, stat in zip(addresses, stats, strict=True)
    ]


def _unreadable(address: str, problem: str) -> UsageError:
    return UsageError(
        f"TensorFlow cannot read {address}: {problem}. Waymo's buckets need an account that has accepted the licence: "
        "`gcloud auth application-default login`."
    )


def _tensorflow() -> ModuleType:
    """TensorFlow, imported only when it is wanted: that takes some 10 s.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import tensorflow
    except ImportError as error:
        raise UsageError(
            "Reading gs:// addresses, or with backend='tensorflow', needs TensorFlow, which is not installed; "
            "run `pip install 'phipd-sim2real[waymo]'`, or copy the files to a disk and give their path."
        ) from error
    return tensorflow
