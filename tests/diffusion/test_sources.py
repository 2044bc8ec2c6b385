"""Enhancing logs, folders and videos: complete or absent, resumed without a trace, labels untouched."""

import json

import cv2
import numpy as np
import pytest
from conftest import street

from phipd_sim2real.diffusion import EnhanceSettings, enhance_log, enhance_path
from phipd_sim2real.drivelog import (
    CAMERA,
    SCHEMAS,
    SEGMENT,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    column,
    decode_jpeg,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file


@pytest.fixture(scope="module")
def settings(tiny_model):
    return EnhanceSettings(model=str(tiny_model), steps=1)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Two segments of four frames from two cameras of different picture size."""
    root = tmp_path_factory.mktemp("log")
    for segment in ("a", "b"):
        with SegmentWriter(root, segment, "hash") as writer:
            for frame in range(4):
                writer.append(
                    "vehicle_pose",
                    {TIMESTAMP: frame, column("vehicle_pose", "world_from_vehicle.transform"): np.eye(4)},
                )
                for camera, (height, width) in {1: (48, 64), 2: (40, 56)}.items():
                    writer.append("camera_image", _image_row(frame, camera, street(frame, height, width)))
    write_provenance(root, Provenance(domain="drawn", config={}, config_hash="hash", seed=0))
    return DriveLog(root)


def _image_row(frame, camera, image):
    own_columns = {SEGMENT, TIMESTAMP, CAMERA}
    zero = {name: 0.0 for name in SCHEMAS["camera_image"].names if name not in own_columns}
    own = {column("camera_image", "image"): encode_jpeg(image, 95), column("camera_image", "pose.transform"): np.eye(4)}
    return {TIMESTAMP: frame, CAMERA: camera} | zero | own


def _bytes(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_log_keeps_its_labels_and_changes_its_pictures(log, settings, tmp_path):
    summary = enhance_path(log.root, tmp_path / "out", settings)
    enhanced = DriveLog(tmp_path / "out")
    assert (summary.frames, summary.enhanced) == (16, 16)
    assert enhanced.segments == log.segments
    assert enhanced.provenance.domain == "enhanced"
    assert enhanced.provenance.source_domain == "drawn"
    for segment in log.segments:
        poses = [each.path("vehicle_pose", segment).read_bytes() for each in (log, enhanced)]
        assert poses[0] == poses[1]
        before, after = (each.table("camera_image", segment) for each in (log, enhanced))
        image = column("camera_image", "image")
        assert (before.drop(columns=image).astype(str) == after.drop(columns=image).astype(str)).all(axis=None)
        for old, new in zip(before[image], after[image], strict=True):
            assert decode_jpeg(old).shape == decode_jpeg(new).shape
            assert old != new


def test_a_log_is_resumed_segment_by_segment_to_the_same_bytes(log, settings, tmp_path):
    enhance_log(log, tmp_path / "straight", settings)
    enhance_log(log, tmp_path / "resumed", settings)
    (tmp_path / "resumed/_complete/b.json").unlink()
    assert enhance_log(log, tmp_path / "resumed", settings).enhanced == 8
    assert _bytes(tmp_path / "resumed") == _bytes(tmp_path / "straight")


def test_a_log_is_not_continued_with_other_settings(log, settings, tmp_path):
    enhance_log(log, tmp_path, settings)
    with pytest.raises(UsageError, match="other settings"):
        enhance_log(log, tmp_path, settings.model_copy(update={"cutoff": 0.1}))


def test_a_folder_keeps_its_names_and_is_resumed_to_the_same_bytes(pictures, settings, tmp_path):
    summary = enhance_path(pictures, tmp_path / "out", settings)
    assert (summary.frames, summary.enhanced) == (10, 10)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())["files"]
    assert set(manifest) == {path.relative_to(pictures).as_posix() for path in pictures.rglob("*.*")}
    for name, entry in manifest.items():
        assert entry["sha256"] == sha256_file(tmp_path / "out" / name)
        assert cv2.imread(str(tmp_path / "out" / name)).shape == cv2.imread(str(pictures / entry["source"])).shape
    before = _bytes(tmp_path / "out")
    for name in ("street_1.jpg", "wide/street_0.png", "manifest.json"):
        (tmp_path / "out" / name).unlink()
    assert enhance_path(pictures, tmp_path / "out", settings).enhanced == 2
    assert _bytes(tmp_path / "out") == before
    assert enhance_path(pictures, tmp_path / "out", settings).enhanced == 0
    source = json.loads(before["provenance.json"])["source"]
    assert (tmp_path / "out" / source).resolve() == pictures.resolve()


def test_a_folder_refuses_what_is_no_picture(settings, tmp_path):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in/good.jpg"), street(0))
    (tmp_path / "in/torn.jpg").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"torn\.jpg is not a readable image"):
        enhance_path(tmp_path / "in", tmp_path / "out", settings)
    cv2.imwrite(str(tmp_path / "in/torn.jpg"), street(0, 20, 64))
    with pytest.raises(UsageError, match="64×20 pixels"):
        enhance_path(tmp_path / "in", tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_not_enhanced_into_itself(pictures, settings):
    with pytest.raises(UsageError, match="inside the source"):
        enhance_path(pictures, pictures / "out", settings)


def test_a_video_keeps_size_rate_and_length(settings, tmp_path):
    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*"mp4v"), 12.0, (64, 48))
    for frame in range(5):
        writer.write(street(frame))
    writer.release()
    assert enhance_path(source, out, settings).enhanced == 5
    video = cv2.VideoCapture(str(out))
    assert video.get(cv2.CAP_PROP_FPS) == 12
    assert [video.read()[0] for _ in range(6)] == [True] * 5 + [False]
    assert enhance_path(source, out, settings).enhanced == 0
    with pytest.raises(UsageError, match="another name"):
        enhance_path(source, out, settings.model_copy(update={"seed": 1}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4", "out.mp4.provenance.json"]


@pytest.mark.parametrize("name", ["absent", "notes.txt"])
def test_refuses_what_it_cannot_enhance(settings, tmp_path, name):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="cannot be enhanced"):
        enhance_path(tmp_path / name, tmp_path / "out", settings)


def test_refuses_a_broken_video(settings, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"x" * 100)
    with pytest.raises(UsageError, match="not a video"):
        enhance_path(tmp_path / "broken.mp4", tmp_path / "out.mp4", settings)
