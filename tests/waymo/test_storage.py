"""TensorFlow as the other reader: the same samples; and what is said where it is absent."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from waymo_frames import frame, write

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import e2e_samples
from phipd_sim2real.waymo.made_split import make_split
from phipd_sim2real.waymo.splits import read_clusters
from phipd_sim2real.waymo.storage import find_record_files

pytest.importorskip("waymo_open_dataset.protos.end_to_end_driving_data_pb2", reason="needs Waymo's protos")

BOTH_READERS = """
import sys
import numpy as np
from pathlib import Path
from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import PlannerSample, e2e_samples, open_e2e_index, perception_samples

folder = sys.argv[1]

def compare(samples, others):
    samples, others = list(samples), list(others)
    assert len(samples) == len(others) == 12
    for one, other in zip(samples, others):
        assert (one.key, one.intent, one.rater_scores, one.cluster) == (
            other.key, other.intent, other.rater_scores, other.cluster)
        assert one.images.keys() == other.images.keys() == {1, 2}
        assert all((one.images[camera] == other.images[camera]).all() for camera in one.images)
        assert (one.past == other.past).all() and np.array_equal(one.future, other.future, equal_nan=True)

compare(e2e_samples(folder, [1, 2]), e2e_samples(folder, [1, 2], backend="tensorflow"))
cache = Path(folder) / "elsewhere"
index = open_e2e_index(folder + "/val_*.tfrecord-*", cache, backend="tensorflow")
compare(open_e2e_index(folder).samples([1, 2]), index.samples([1, 2]))
drive = sys.argv[2]
ours, theirs = (
    [item for item in perception_samples(drive, [1, 2], backend=backend) if isinstance(item, PlannerSample)]
    for backend in ("local", "tensorflow")
)
compare(ours, theirs)
assert index.identity()
path = sorted(Path(folder).glob("*-00001-of-*"))[0]
data = bytearray(path.read_bytes())
data[len(data) // 2] ^= 1
path.write_bytes(data)
try:
    list(e2e_samples(folder, [], backend="tensorflow"))
except UsageError as error:
    assert str(path) in str(error) and "is damaged" in str(error), error
    print("equal, and damage is named")
"""


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="compares with TensorFlow's reader, which is not installed")
def test_both_readers_give_the_same_samples(tmp_path):
    make_split(tmp_path, records=12, segments=3, shards=2, cameras=(1, 2, 3))
    drive = write(tmp_path / "perception" / "drive.tfrecord", [frame(index, shade=index) for index in range(50)])
    command = [sys.executable, "-c", BOTH_READERS, str(tmp_path), str(drive)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert result.stdout.strip() == "equal, and damage is named", result.stderr[-3000:]


@pytest.mark.parametrize("address", ["gs://bucket/val*", "gs:/bucket/val*"])
def test_a_bucket_without_tensorflow_gives_one_sentence(monkeypatch, address):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UsageError, match=r"needs TensorFlow, which is not installed; run `pip install"):
        e2e_samples(address)


def test_a_list_in_a_bucket_without_tensorflow_gives_the_same_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UsageError, match="needs TensorFlow, which is not installed"):
        read_clusters(Path("gs://bucket/val_sequence_name_to_scenario_cluster.json"))


def test_tensorflow_is_imported_only_where_it_is_wanted(tmp_path):
    make_split(tmp_path, records=2, segments=2, shards=1, cameras=(1,))
    code = (
        "import sys; from phipd_sim2real.waymo import e2e_samples, open_e2e_index; "
        "list(e2e_samples(sys.argv[1])); list(open_e2e_index(sys.argv[1]).samples()); "
        "print('tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_files_are_found_by_name_folder_and_pattern(tmp_path):
    make_split(tmp_path, records=4, segments=2, shards=2, cameras=(1,))
    names = ["val_made.tfrecord-00000-of-00002", "val_made.tfrecord-00001-of-00002"]
    assert [file.name for file in find_record_files(tmp_path)] == names
    assert [file.name for file in find_record_files(f"{tmp_path}/val_*1-of*")] == names[1:]
    assert [file.name for file in find_record_files(tmp_path / names[0])] == names[:1]
    with pytest.raises(UsageError, match="no TFRecord files at"):
        find_record_files(tmp_path / "test*")
