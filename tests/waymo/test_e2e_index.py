"""The index of a shuffled split: order, choice, damage that is counted and named, and files that change."""

import json
import os
import shutil

import numpy as np
import pytest

from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.evaluation_frames import IndexedRecords
from phipd_sim2real.waymo import PlannerSample, SampleFailure, e2e_samples
from phipd_sim2real.waymo.e2e_index import INDEX_FOLDER, open_e2e_index
from phipd_sim2real.waymo.made_split import make_split
from phipd_sim2real.waymo.splits import (
    CLUSTER_FILE,
    SUBMISSION_FILE,
    missing_shards,
    read_clusters,
    read_submission_frames,
    split_source,
)
from phipd_sim2real.waymo.tfrecord import index_records, masked_crc, read_records, write_records
from planner_eval.baselines import ConstantVelocity
from planner_eval.config import EvaluateSettings
from planner_eval.evaluate import Arm, evaluate

protos = pytest.importorskip("waymo_open_dataset.protos.end_to_end_driving_data_pb2", reason="needs Waymo's protos")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("val")
    return folder, make_split(folder)


@pytest.fixture
def small(tmp_path):
    samples = make_split(tmp_path, records=12, segments=3, shards=2, cameras=(1,))
    return tmp_path, samples


def shard(folder, number):
    return sorted(folder.glob("*.tfrecord-*"))[number]


def assert_same_states(read, written):
    assert (read.key, read.intent, read.rater_scores, read.cluster) == (
        written.key,
        written.intent,
        written.rater_scores,
        written.cluster,
    )
    for field in ("past", "future", "future_valid"):
        np.testing.assert_array_equal(getattr(read, field), getattr(written, field))
    for points, expected in zip(read.rater_trajectories, written.rater_trajectories, strict=True):
        np.testing.assert_array_equal(points, expected)


def test_two_hundred_shuffled_records_come_by_segment_and_time(whole):
    folder, written = whole
    index = open_e2e_index(split_source(folder, "val"))
    assert (len(index), len(index.segments), index.damage, index.missing_shards) == (200, 10, (), [])
    read = list(index.samples(cameras=[1, 3]))
    for one, other in zip(read, written, strict=True):
        assert_same_states(one, other)
        assert {camera: picture.shape for camera, picture in one.images.items()} == {
            1: (135, 122, 3),  # portrait
            3: (135, 122, 3),
        }
    in_the_files = [sample.key for sample in e2e_samples(folder, cameras=[])]
    assert in_the_files != [sample.key for sample in read]
    assert sorted(in_the_files) == [sample.key for sample in read]


def test_records_are_chosen_by_rating_drive_and_name(whole):
    folder, written = whole
    index = open_e2e_index(folder)
    rated = list(index.samples(cameras=[], rated_only=True))
    assert [sample.key for sample in rated] == [sample.key for sample in written if sample.rater_scores]
    assert all(sample.rater_trajectories[0].shape == (21, 2) for sample in rated)
    assert len(rated) == index.count(rated_only=True) == 10
    drive = index.segments[3]
    times = [sample.key.timestamp_micros for sample in index.samples([], segments=[drive])]
    assert times == [(140 + step) * 100_000 for step in range(20)]
    (named,) = index.samples([], names=[f"{drive}-147"])
    assert index.frame_name(named.key) == f"{drive}-147"
    assert named.cluster == read_clusters(folder / CLUSTER_FILE)[drive]
    with pytest.raises(UsageError, match=r"1 of 1 frames are in none of the 4 files \(such as nowhere-001\)"):
        index.samples([], names=["nowhere-001"])


def test_the_index_reads_no_pictures(whole, monkeypatch):
    folder, _ = whole
    from phipd_sim2real.waymo.shard_index import scan_shard
    from phipd_sim2real.waymo.storage import RecordFile, find_record_files

    read = [0]

    class Counting:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def read(self, size):
            data = self.stream.read(size)
            read[0] += len(data)
            return data

        def seek(self, *arguments):
            return self.stream.seek(*arguments)

        def tell(self):
            return self.stream.tell()

    opened = RecordFile.open
    monkeypatch.setattr(RecordFile, "open", lambda file: Counting(opened(file)))
    file = find_record_files(folder)[0]
    assert len(scan_shard(file).table) == 50
    assert read[0] < 0.2 * file.size


def test_a_changed_shard_is_indexed_again_and_the_others_are_not(small):
    folder, _ = small
    open_e2e_index(folder)
    kept, replaced = sorted((folder / INDEX_FOLDER).iterdir())
    before = kept.stat().st_mtime_ns
    spans = index_records(shard(folder, 1))
    data = shard(folder, 1).read_bytes()[: spans[-1].offset]
    shard(folder, 1).write_bytes(data)  # one record fewer, not damaged
    assert len(open_e2e_index(folder)) == 11
    assert kept.stat().st_mtime_ns == before
    stamp = replaced.stat().st_mtime_ns
    os.utime(shard(folder, 1), ns=(1, 1))  # same bytes at another time may be other bytes
    assert len(open_e2e_index(folder)) == 11
    assert replaced.stat().st_mtime_ns > stamp


def test_a_damaged_index_is_made_again(small):
    folder, _ = small
    first = open_e2e_index(folder)
    for path in (folder / INDEX_FOLDER).iterdir():
        path.write_bytes(path.read_bytes()[:-20])
    assert open_e2e_index(folder).table.equals(first.table)


def test_a_summary_says_what_is_there_and_where_rated_paths_begin(whole, small):
    folder, _ = whole
    summary = open_e2e_index(folder).summary()
    assert summary == {
        "files": 4,
        "missing_files": 0,
        "records": 200,
        "segments": 10,
        "rated": 10,
        "rater_start_m": 0.0,  # made up with point 0 at t = 0
        "clusters": 3,
        "damaged_places": [],
    }
    folder, _ = small
    shard(folder, 0).unlink()
    summary = open_e2e_index(folder).summary()
    assert (summary["files"], summary["missing_files"]) == (1, 1)


def test_a_frame_in_two_files_is_refused(small):
    folder, _ = small
    shutil.copy(shard(folder, 0), folder / "copy.tfrecord")
    with pytest.raises(UsageError, match=r"is more than once in .*copy\.tfrecord and .*val_made"):
        open_e2e_index(folder)


def test_the_index_may_lie_beside_the_records_themselves(small):
    folder, _ = small
    first = open_e2e_index(folder, folder)
    assert open_e2e_index(folder, folder).table.equals(first.table)


def test_the_index_may_lie_elsewhere(small, tmp_path_factory):
    folder, _ = small
    cache = tmp_path_factory.mktemp("cache")
    first = open_e2e_index(folder, cache)
    assert len(list(cache.iterdir())) == 2
    assert not (folder / INDEX_FOLDER).exists()
    assert open_e2e_index(folder, cache).table.equals(first.table)
    with pytest.raises(UsageError, match=r"cannot be written to .* give a folder that can be written"):
        open_e2e_index(folder, shard(folder, 0) / "no folder")


def test_a_flipped_bit_in_a_picture_is_found_when_the_record_is_read(small):
    folder, _ = small
    path = shard(folder, 0)
    span = index_records(path)[2]
    data = bytearray(path.read_bytes())
    data[span.offset + 12 + span.length // 2] ^= 1
    path.write_bytes(data)
    index = open_e2e_index(folder)
    assert (len(index), index.damage) == (12, ())
    failures = [item for item in index.samples([1]) if isinstance(item, SampleFailure)]
    assert [failure.reason for failure in failures] == ["damaged_record"]
    assert f"{path}: record 2 at byte {span.offset} has a payload" in failures[0].where


@pytest.mark.parametrize("kind", ["cut payload", "short header", "bad length"])
def test_damage_is_counted_named_and_borne_up_to_a_share(small, kind):
    folder, _ = small
    path = shard(folder, 1)
    spans = index_records(path)
    data = bytearray(path.read_bytes())
    hit = spans[-1].offset
    if kind == "cut payload":
        data = data[:-3]
    elif kind == "short header":
        data = data[: hit + 5]
    else:
        data[hit + 9] ^= 1
    path.write_bytes(data)
    share = (len(data) - hit) / sum(file.stat().st_size for file in folder.glob("*.tfrecord-*"))
    index = open_e2e_index(folder, max_failed_share=share * 1.01)
    assert len(index) == 11
    (place,) = index.damage
    assert (place.shard, place.offset, place.lost_bytes) == (path.name, hit, len(data) - hit)
    assert f"{path}: record 5 at byte {hit} " in place.problem
    items = list(index.samples([]))
    assert len(items) == index.count() == 12
    assert [item.where for item in items if isinstance(item, SampleFailure)] == [place.problem]
    with pytest.raises(StageError, match=f"in 1 places; at most .* record 5 at byte {hit} "):
        open_e2e_index(folder, max_failed_share=share * 0.99)


def test_a_record_of_another_kind_does_not_hide_those_behind_it(small):
    folder, _ = small
    path = shard(folder, 0)
    data, span = bytearray(path.read_bytes()), index_records(path)[1]
    payload = b"\xff" * span.length
    data[span.offset + 12 : span.offset + 12 + span.length + 4] = payload + masked_crc(payload).to_bytes(4, "little")
    path.write_bytes(data)
    index = open_e2e_index(folder, max_failed_share=0.5)
    assert len(index) == 11
    assert f"record 1 at byte {span.offset} cannot be indexed" in index.damage[0].problem
    assert {int(record) for record in index.table[index.table["shard"] == 0]["record"]} == {0, 2, 3, 4, 5}


def change_records(path, change):
    """Writes a shard anew, one record after the other changed."""
    frames = [protos.E2EDFrame.FromString(payload) for payload in read_records(path)]
    for number, message in enumerate(frames):
        change(number, message)
    write_records(path, (message.SerializeToString() for message in frames))


def first_only(strip):
    return lambda number, message: strip(message) if number == 0 else None


@pytest.mark.parametrize(
    ("strip", "reason"),
    [
        (lambda message: message.frame.context.ClearField("camera_calibrations"), "missing_calibration"),
        (lambda message: message.past_states.pos_x.__setitem__(3, np.nan), "incomplete_record"),
        (lambda message: message.future_states.pos_y.__setitem__(0, np.inf), "incomplete_record"),
    ],
)
def test_a_record_without_what_a_planner_needs_is_a_failure(small, strip, reason):
    folder, _ = small
    change_records(shard(folder, 0), first_only(strip))
    failures = [item for item in open_e2e_index(folder).samples([1]) if isinstance(item, SampleFailure)]
    assert [failure.reason for failure in failures] == [reason]
    assert f"{shard(folder, 0)}: record 0" in failures[0].where


def test_a_rated_path_of_half_coordinates_is_counted_and_named(small):
    folder, _ = small
    rate = first_only(lambda message: message.preference_trajectories.add(preference_score=9, pos_x=[1, 2]))
    change_records(shard(folder, 0), rate)
    index = open_e2e_index(folder, max_failed_share=0.5)
    assert len(index) == 11
    assert "record 0 at byte 0 cannot be indexed" in index.damage[0].problem
    assert "states of unequal length" in index.damage[0].problem


def test_names_count_tenths_of_a_second_of_any_clock(small):
    folder, _ = small

    def rename(number, message):
        message.frame.context.name = f"{number:032x}-{15_000_000_000 + number}"

    change_records(shard(folder, 0), rename)
    index = open_e2e_index(shard(folder, 0))
    assert index.table["frame"].tolist() == [15_000_000_000 + number for number in range(6)]


def test_an_index_beside_the_records_is_no_shard(small):
    folder, _ = small
    first = open_e2e_index(f"{folder}/val*", folder)
    assert list(folder.glob("val*.index.parquet"))
    assert open_e2e_index(f"{folder}/val*", folder).files == first.files


def test_rated_drives_of_no_known_cluster_are_told(whole, tmp_path):
    folder, _ = whole
    index = open_e2e_index(folder, tmp_path)
    assert index.unclustered == []
    known = dict(list(read_clusters(folder / CLUSTER_FILE).items())[:-1])
    (tmp_path / "some.json").write_text(json.dumps({name: {"scenario_cluster": of} for name, of in known.items()}))
    fewer = open_e2e_index(folder, tmp_path, tmp_path / "some.json")
    assert len(fewer.unclustered) == 1
    assert IndexedRecords("val*", fewer, (1,), rated_only=True).dataset == (
        "WOD-E2E records val*, rated frames, 1 rated drives of no known cluster"
    )


def test_an_absent_camera_is_a_failure_with_its_reason(small):
    folder, _ = small
    reasons = {item.reason for item in open_e2e_index(folder).samples([4])}
    assert reasons == {"missing_camera"}


def test_the_test_split_has_no_futures_and_a_list_of_frames(tmp_path):
    make_split(tmp_path, "test", records=9, segments=3, shards=2, cameras=(1,))
    names = read_submission_frames(tmp_path / SUBMISSION_FILE)
    index = open_e2e_index(split_source(tmp_path, "test"))
    samples = list(index.samples([1], names=names))
    assert [index.frame_name(sample.key) for sample in samples] == sorted(names)
    assert all(isinstance(sample, PlannerSample) and not sample.future_valid.any() for sample in samples)
    assert all(np.isnan(sample.future).all() and sample.cluster == "" for sample in samples)


def test_absent_shards_are_told_from_the_names():
    names = ["val_202504211843.tfrecord-00000-of-00003", "val_202504211843.tfrecord-00002-of-00003"]
    assert missing_shards(names) == ["val_202504211843.tfrecord-00001-of-00003"]
    assert missing_shards(["target.tfrecord"]) == []


def test_lists_of_another_form_are_refused(tmp_path):
    path = tmp_path / "list.json"
    for text, sentence in (("[1]", "holds a list"), ('{"a": 3}', "does not"), ("{", "not valid JSON")):
        path.write_text(text)
        with pytest.raises(UsageError, match=sentence):
            read_clusters(path)
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(UsageError, match="not valid JSON"):
        read_clusters(path)
    path.write_text('{"a": "soon"}')
    with pytest.raises(UsageError, match="that of 'a' is none"):
        read_submission_frames(path)
    with pytest.raises(UsageError, match="comes with the end-to-end dataset"):
        read_clusters(tmp_path / "none.json")


def test_an_evaluation_counts_damaged_records_and_fails_above_its_share(small):
    folder, _ = small
    path = shard(folder, 0)
    span = index_records(path)[2]
    data = bytearray(path.read_bytes())
    data[span.offset + 12 + span.length // 2] ^= 1
    path.write_bytes(data)
    arms = [Arm("constant-velocity", "keeps its velocity", (ConstantVelocity(),))]
    settings = EvaluateSettings(baseline="constant-velocity", resamples=100, max_failed_share=0.1)
    result = evaluate(arms, open_e2e_index(folder).samples([]), settings, "made up")
    assert sorted(result.truth.failures) == [""] * 11 + ["damaged_record"]
    strict = settings.model_copy(update={"max_failed_share": 0.08})
    with pytest.raises(StageError, match=r"Of 12 frames 1 failed \({'damaged_record': 1}\)"):
        evaluate(arms, open_e2e_index(folder).samples([]), strict, "made up")
