"""Perception files that several tests import."""

import pytest
from waymo_frames import frame, write


@pytest.fixture
def v1(tmp_path):
    """Two v1 files of a drive each, their frames in no order."""
    folder = tmp_path / "v1"
    for name in "ab":
        write(folder / f"segment-{name}.tfrecord", [frame(index, f"segment-{name}") for index in (3, 0, 2, 1)])
    return folder
