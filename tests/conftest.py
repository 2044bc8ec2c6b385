"""What every test may use."""

import os
from pathlib import Path

import pytest

# At test sizes a second thread of arithmetic gains nothing, and on a busy machine two wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(__file__).resolve().parents[1] / "../shared/data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real frames, maps, records and golden files; a test that needs it skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the measurement data beside the checkout ({SHARED_DATA}), which is absent")
    return SHARED_DATA.resolve()
