"""End-to-end records: the round trip, Waymo's quirks, and what is refused."""

import numpy as np
import pytest

from phipd_sim2real.drivelog import (
    CAMERA,
    SCHEMAS,
    SEGMENT,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    column,
    write_provenance,
)
from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import (
    Calibration,
    PlannerSample,
    SampleKey,
    drivelog_jpegs,
    e2e_samples,
    write_e2e,
)
from phipd_sim2real.waymo.made_split import make_split
from phipd_sim2real.waymo.tfrecord import read_records, write_records

protos = pytest.importorskip("waymo_open_dataset.protos.end_to_end_driving_data_pb2", reason="needs Waymo's protos")
cv2 = pytest.importorskip("cv2")


def jpeg(seed, width=97, height=108):
    picture = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.resize(picture, (width, height)))[1].tobytes()


JPEGS = {1: jpeg(1), 7: jpeg(7, 97, 55)}  # portrait in front and landscape to the rear, as in the dataset


def rgb(data):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def calibration(width, height):
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = [1.5, 0.1, 2.1]
    return Calibration(
        np.array([90.1, 90.2, width / 2, height / 2, 0.01, -0.02, 0.001, 0.002, 0]), extrinsic, width, height
    )


def sample(segment="river-0001", micros=12_345_678, future=20, raters=((20, 9.0), (12, 6.5))):
    rng = np.random.default_rng(micros)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32).astype(np.float64)  # noqa: E731
    positions = draw(20, 2)
    positions[future:] = np.nan
    return PlannerSample(
        key=SampleKey("target", segment, micros),
        images={camera: rgb(data) for camera, data in JPEGS.items()},
        calibrations={1: calibration(97, 108), 7: calibration(97, 55)},
        past=draw(16, 6),
        intent=2,
        future=positions,
        future_valid=np.arange(20) < future,
        rater_trajectories=tuple(draw(points, 2) for points, _ in raters),
        rater_scores=tuple(score for _, score in raters),
    )


def assert_equal(read, written):
    assert read.key.timestamp_micros == written.key.timestamp_micros
    assert (read.key.log, read.intent, read.rater_scores) == (
        written.key.log,
        written.intent,
        written.rater_scores,
    )
    assert read.images.keys() == written.images.keys()
    for camera, picture in written.images.items():
        np.testing.assert_array_equal(read.images[camera], picture)
        for field in ("intrinsic", "extrinsic", "width", "height"):
            np.testing.assert_array_equal(
                getattr(read.calibrations[camera], field), getattr(written.calibrations[camera], field)
            )
    for field in ("past", "future", "future_valid"):
        np.testing.assert_array_equal(getattr(read, field), getattr(written, field))
        assert getattr(read, field).dtype == getattr(written, field).dtype
    for read_points, points in zip(read.rater_trajectories, written.rater_trajectories, strict=True):
        np.testing.assert_array_equal(read_points, points)


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "target.tfrecord"
    written = [
        sample(),
        sample(micros=12_845_678, future=7, raters=()),
        sample("aaa", 0, future=0, raters=((21, 0.0),)),
    ]
    assert write_e2e(path, written, jpegs=lambda _: JPEGS) == 3
    read = list(e2e_samples(path))
    for one, other in zip(read, written, strict=True):
        assert_equal(one, other)
    stored = protos.E2EDFrame.FromString(next(read_records(path))).frame
    assert {image.name: image.image for image in stored.images} == JPEGS
    assert read[0].key.segment == read[1].key.segment < read[2].key.segment  # sorts in the order of writing


def test_same_samples_same_bytes(tmp_path):
    for name in "ab":
        write_e2e(tmp_path / name, [sample()])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def waymo_frame(name="0123456789abcdef0123456789abcdef-149", ratings=(), past_steps=16, pos_x_only=False):
    """As Waymo writes it: timestamp 0, cameras out of order, unrated placeholders scored -1."""
    frame = protos.E2EDFrame(intent=1)
    frame.frame.context.name = name
    for camera in (7, 1):
        frame.frame.images.add(name=camera, image=JPEGS[camera])
    for camera in (1, 7):
        frame.frame.context.camera_calibrations.add(name=camera, width=97, height=100 + camera, intrinsic=[1] * 9)
        frame.frame.context.camera_calibrations[-1].extrinsic.transform.extend(np.eye(4).ravel())
    for field in ("pos_x", "pos_y", "vel_x", "vel_y", "accel_x", "accel_y"):
        getattr(frame.past_states, field).extend(np.arange(float(past_steps)))
    if pos_x_only:
        frame.past_states.ClearField("pos_y")
    for points, score in ratings:
        frame.preference_trajectories.add(pos_x=np.arange(points), pos_y=np.zeros(points), preference_score=score)
    return frame


def test_waymos_quirks(tmp_path):
    rated, unrated = (
        waymo_frame(ratings=[(21, 8.0), (20, -1.0), (7, 3.0)]),
        waymo_frame(ratings=[(20, -1.0), (0, 5.0)]),
    )
    write_records(
        tmp_path / "val_2025.tfrecord-00001-of-00093",
        [unrated.SerializeToString(), rated.SerializeToString()],
    )
    first, second = e2e_samples(tmp_path, cameras=[1])
    assert first.key == SampleKey("val_2025", "0123456789abcdef0123456789abcdef", 14_900_000)
    assert first.rater_scores == ()
    assert not first.future_valid.any()
    assert np.isnan(first.future).all()
    assert second.rater_scores == (8.0, 3.0)
    assert [len(points) for points in second.rater_trajectories] == [21, 7]
    assert {camera: picture.shape for camera, picture in second.images.items()} == {1: (108, 97, 3)}
    assert second.calibrations[7].height == 107  # matched by name, not by position
    assert [one.rater_scores for one in e2e_samples(tmp_path / "val*", rated_only=True)] == [(8.0, 3.0)]


def test_a_frame_stripped_of_intent_pose_and_ratings_is_a_sample(tmp_path):
    frame = waymo_frame()
    frame.ClearField("intent")
    assert not frame.frame.HasField("pose")
    write_records(tmp_path / "x.tfrecord", [frame.SerializeToString()])
    (read,) = e2e_samples(tmp_path, cameras=[1])
    assert (read.intent, read.rater_scores, read.cluster) == (0, (), "")


def test_full_size_pictures_are_portrait_in_front(tmp_path):
    make_split(tmp_path, records=1, segments=1, shards=1, cameras=(1, 6, 7), scale=1.0)
    (read,) = e2e_samples(tmp_path)
    shapes = {camera: picture.shape[:2] for camera, picture in read.images.items()}
    assert shapes == {1: (1079, 972), 6: (587, 972), 7: (551, 972)}
    assert all((one.height, one.width) == shapes[camera] for camera, one in read.calibrations.items())


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (waymo_frame(name="without an index"), "record 0 is named 'without an index'"),
        (protos.E2EDFrame(), "record 0 is named ''"),
        (waymo_frame(pos_x_only=True), "record 0 has states of unequal length"),
        (waymo_frame(past_steps=15), "record 0 has 15 past states"),
    ],
)
def test_a_record_of_another_kind_is_refused(tmp_path, frame, problem):
    write_records(tmp_path / "x.tfrecord", [frame.SerializeToString()])
    with pytest.raises(UsageError, match=problem):
        list(e2e_samples(tmp_path / "x.tfrecord"))


def test_bad_sources_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="no TFRecord files at"):
        e2e_samples(tmp_path)
    write_records(tmp_path / "x.tfrecord", [b"\xff\xff\xff"])
    with pytest.raises(UsageError, match="record 0 is not a E2EDFrame"):
        list(e2e_samples(tmp_path))
    write_e2e(tmp_path / "x.tfrecord", [sample()])
    with pytest.raises(UsageError, match=r"no picture of camera \[4\]; it has cameras \[1, 7\]"):
        list(e2e_samples(tmp_path, cameras=[4]))
    (tmp_path / "x.tfrecord").write_bytes((tmp_path / "x.tfrecord").read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"record 0 at byte 0 .* cut off"):
        e2e_samples(tmp_path)  # at the call, before any work


def test_a_picture_that_is_no_jpeg_is_named(tmp_path):
    write_e2e(tmp_path / "x.tfrecord", [sample()], jpegs=lambda _: {1: b"not a picture"})
    with pytest.raises(UsageError, match="record 0, camera 1: 13 bytes are not"):
        list(e2e_samples(tmp_path))


def test_pictures_of_a_drive_log_pass_through_unchanged(tmp_path):
    log = write_log(tmp_path / "log", JPEGS)
    written = sample(segment="only", micros=500_000)
    write_e2e(tmp_path / "target.tfrecord", [written], jpegs=drivelog_jpegs(log))
    (read,) = e2e_samples(tmp_path / "target.tfrecord")
    assert_equal(read, written)


def write_log(root, jpegs):
    """A drive log of one frame at 0.5 s."""
    config_hash = "0" * 64
    provenance = Provenance(domain="test", config={}, config_hash=config_hash, seed=0)
    write_provenance(root, provenance)
    with SegmentWriter(root, "only", config_hash) as writer:
        for camera, data in jpegs.items():
            row = {name: 0 for name in SCHEMAS["camera_image"].names}
            row |= {SEGMENT: "only", TIMESTAMP: 500_000, CAMERA: camera}
            row |= {
                column("camera_image", "image"): data,
                column("camera_image", "pose.transform"): np.eye(4).ravel(),
            }
            writer.append("camera_image", row)
    return DriveLog(root)
