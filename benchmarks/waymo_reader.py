"""How fast Waymo's records are read: `python benchmarks/waymo_reader.py --records 60`.

Writes a split made up in Waymo's format at full size, and prints one JSON object. Megabytes of record files per second
of processor time, all within one run, page cache warm: `index` makes the index; `read` tests both checksums of every
record; `parse` makes messages too; `decode` gives samples with the pictures of so many cameras. Ratios are to `read`.
`index_again_ms` is the wall time of opening a finished index.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phipd_sim2real.waymo import open_e2e_index, read_records
from phipd_sim2real.waymo.made_split import PICTURE_SIZES, make_split
from phipd_sim2real.waymo.protos import e2e_protos
from phipd_sim2real.waymo.shard_index import scan_shard
from phipd_sim2real.waymo.storage import find_record_files

ROUNDS = 3
MEGABYTE = 1e6


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=60)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the pictures against the dataset's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder), options.records, options.scale), indent=2))


def measured(folder: Path, records: int, scale: float) -> dict[str, Any]:
    """All figures."""
    make_split(folder, records=records, segments=min(10, records), cameras=tuple(PICTURE_SIZES), scale=scale)
    files = find_record_files(folder)
    megabytes = sum(file.size for file in files) / MEGABYTE
    index, frame_class = open_e2e_index(folder), e2e_protos().E2EDFrame
    works: dict[str, Callable[[], Any]] = {
        "index": lambda: [scan_shard(file) for file in files],
        "read": lambda: [len(payload) for file in files for payload in read_records(file.address)],
        "parse": lambda: [
            frame_class.FromString(payload).intent for file in files for payload in read_records(file.address)
        ],
        "decode no camera": lambda: _consumed(index.samples([])),
        "decode 1 camera": lambda: _consumed(index.samples([1])),
        "decode 3 cameras": lambda: _consumed(index.samples([1, 2, 3])),
        "decode 8 cameras": lambda: _consumed(index.samples()),
    }
    speeds = {name: megabytes / _processor_s(work) for name, work in works.items()}
    begin = time.perf_counter()
    open_e2e_index(folder)
    return {
        "records": len(index),
        "megabytes": round(megabytes, 1),
        "megabytes_per_record": round(megabytes / len(index), 3),
        "megabytes_per_s": {name: round(speed, 1) for name, speed in speeds.items()},
        "ratio_to_read": {name: round(speed / speeds["read"], 3) for name, speed in speeds.items()},
        "index_again_ms": round((time.perf_counter() - begin) * 1000, 1),
    }


def _consumed(items: Any) -> int:
    """Takes one after the other, keeping none."""
    return sum(1 for _ in items)


def _processor_s(work: Callable[[], Any]) -> float:
    """Processor time of all threads, seconds; the best of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


if __name__ == "__main__":
    main()
