"""The inspection page of folders and drive logs: what it says, what it counts, what it refuses."""

import hashlib
import json
import os
import re

import cv2
import numpy as np
import pytest
from street_logs import CAPTURED, zeros

from phipd_sim2real.drivelog import (
    CAMERA,
    METRES_PER_UNIT,
    OBJECT,
    SEGMENT,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    encode_depth,
    encode_jpeg,
    encode_labels,
    write_provenance,
)
from phipd_sim2real.errors import UsageError
from phipd_sim2real.quality.frames import evenly
from phipd_sim2real.quality.inspect import InspectOptions, inspect

HEIGHT, WIDTH = 72, 120
ENHANCED = "e" * 64
CALIBRATION = {"f_u": 60.0, "f_v": 60.0, "c_u": 60.0, "c_v": 36.0}


def street(index):
    """A road with a painted line that moves with the index, and its labels."""
    picture = np.full((HEIGHT, WIDTH, 3), (90, 90, 95), np.uint8)
    picture[:30] = (120, 160, 220)
    labels = np.where(np.arange(HEIGHT)[:, None] < 30, 11, 1).astype(np.uint8).repeat(WIDTH, axis=1)
    for canvas, value in ((picture, (240, 240, 240)), (labels, 24)):
        cv2.line(canvas, (20 + 3 * index, HEIGHT), (WIDTH // 2, 30), value, 3)
    return picture, labels


def enhanced(picture, strength):
    """Warmer and noisier with strength."""
    noise = np.random.default_rng(strength).normal(0, 2 + 10 * strength, picture.shape)
    return np.clip(picture * (1.05, 1.0, 0.9) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Six pictures before and after; the later, the worse."""
    source, out = tmp_path / "frames", tmp_path / "enhanced"
    source.mkdir()
    out.mkdir()
    manifest = {}
    for index in range(6):
        picture = street(index)[0]
        name = f"{index:03d}.jpg"
        (source / name).write_bytes(encode_jpeg(picture, 95))
        (out / name).write_bytes(encode_jpeg(enhanced(picture, index), 95))
        manifest[name] = {"source": name, "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest()}
    (out / "provenance.json").write_text(json.dumps({"source": os.path.relpath(source, out), "domain": "enhanced"}))
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def captured_log(root, frames=5):
    write_provenance(root, Provenance(domain="carla-protocol simulator", config={}, config_hash=CAPTURED, seed=7))
    for segment in ("drive-0", "drive-1"):
        with SegmentWriter(root, segment, CAPTURED) as writer:
            calibration = {f"intrinsic.{name}": value for name, value in CALIBRATION.items()}
            size = {"width": WIDTH, "height": HEIGHT}
            writer.append(
                "camera_calibration",
                zeros("camera_calibration", **{SEGMENT: segment, CAMERA: 1}, **calibration, **size),
            )
            for index in range(frames):
                for component, values in labels(index).items():
                    keys = {SEGMENT: segment, TIMESTAMP: index * 100_000}
                    keys |= {CAMERA: 1} if component.startswith("camera_") else {}
                    writer.append(component, zeros(component, **(keys | values)))
    return DriveLog(root)


def labels(index):
    picture, semantics = street(index)
    depth = np.full((HEIGHT, WIDTH), 20.0, np.float32)
    box = {"box.center.x": 10.0, "box.size.x": 4.0, "box.size.y": 2.0, "box.size.z": 1.5, "type": 1, OBJECT: "1"}
    return {
        "camera_image": {"image": encode_jpeg(picture, 95)},
        "camera_semantics": {"image": encode_labels(semantics)},
        "camera_depth": {"image": encode_depth(depth), "metres_per_unit": METRES_PER_UNIT},
        "vehicle_pose": {},
        "lidar_box": box,
    }


def enhanced_log(root, source):
    recorded = source.provenance.model_dump(mode="json")
    write_provenance(
        root,
        Provenance(
            domain="enhanced",
            source_domain="carla-protocol simulator",
            config={},
            config_hash=ENHANCED,
            seed=1,
            source_log=recorded,
        ),
    )
    for segment in source.segments:
        with SegmentWriter(root, segment, ENHANCED) as writer:
            for component in source.components(segment):
                if component != "camera_image":
                    writer.copy(component, source)
            for index in range(len(source.table("camera_image", segment))):
                image = encode_jpeg(enhanced(street(index)[0], index), 95)
                keys = {SEGMENT: segment, TIMESTAMP: index * 100_000, CAMERA: 1}
                writer.append("camera_image", zeros("camera_image", **keys, image=image))
    return DriveLog(root)


def numbers(page):
    return json.loads((page.parent / "inspect.json").read_text())


def test_a_folder_gets_a_page_that_stands_alone(folder):
    steps = []
    page = inspect(folder, progress=lambda *step: steps.append(step))
    assert page == folder / "inspect/inspect.html"
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 12  # every frame, before and after
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert "http" not in text
    assert ("measure frames", 6, 6) in steps
    found = numbers(page)
    assert set(found["worst_first"][:2]) == {"004.jpg", "005.jpg"}
    assert found["worst_first"][-1] == "000.jpg"
    assert text.index("005.jpg") < text.index("000.jpg")
    measure = found["measures"]["canny_f1"]
    assert (measure["valid"], measure["total"], measure["unit"], measure["better"]) == (6, 6, "1", "higher")
    values = [frame["canny_f1"] for frame in found["frames"]]
    assert measure["mean"] == pytest.approx(np.mean(values))
    assert "lane_edge_recall" not in found["measures"]
    assert found["checks"]["pictures have the hash in the manifest"] == {"passed": 6, "total": 6, "failures": []}


def test_the_same_folder_gives_the_same_bytes(folder, tmp_path):
    pages = [inspect(folder, tmp_path / name).read_bytes() for name in "ab"]
    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0]


def test_what_cannot_be_measured_is_counted_and_shown(folder):
    (folder / "001.jpg").write_bytes(b"not a picture")
    (folder / "002.jpg").unlink()
    cv2.imwrite(str(folder / "003.jpg"), np.zeros((10, 10, 3), np.uint8))
    page = inspect(folder)
    found = numbers(page)
    assert found["measures"]["blur_ssim"]["valid"] == 3
    assert found["measures"]["blur_ssim"]["reasons"] == {
        "the enhanced picture is missing or damaged": 2,
        "the two pictures differ in size": 1,
    }
    assert found["checks"]["pictures have the hash in the manifest"]["failures"] == ["001.jpg", "002.jpg", "003.jpg"]
    assert sorted(found["worst_first"][:3]) == ["001.jpg", "002.jpg", "003.jpg"]
    assert found["frames"][1]["blur_ssim"] is None
    assert "differ in size" in page.read_text()


def test_frames_beyond_the_limit_are_not_measured_and_said_so(folder):
    page = inspect(folder, options=InspectOptions(max_frames=3))
    assert [frame["name"] for frame in numbers(page)["frames"]] == ["000.jpg", "002.jpg", "005.jpg"]
    assert "3 of 6 frames, spread evenly" in page.read_text()


def test_an_enhanced_log_is_compared_with_its_source(tmp_path):
    source = captured_log(tmp_path / "source")
    enhanced_log(tmp_path / "enhanced", source)
    captured_log(tmp_path / "other-name")  # equal settings: the first neighbour in order is taken
    page = inspect(tmp_path / "enhanced")
    found = numbers(page)
    assert found["measures"]["lane_edge_recall"]["valid"] == 10
    assert found["facts"]["kind"] == "enhanced drive log"
    assert all(check["passed"] == check["total"] > 0 for check in found["checks"].values())
    unchanged = {name.split()[0] for name in found["checks"] if "byte-identical" in name}
    assert unchanged == {"camera_calibration", "camera_depth", "camera_semantics", "lidar_box", "vehicle_pose"}
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 10 * 5  # before, after, classes, boxes, depth
    assert "road line" in text


def test_a_touched_label_is_found(tmp_path):
    source = captured_log(tmp_path / "source")
    log = enhanced_log(tmp_path / "enhanced", source)
    depth = log.path("camera_depth", "drive-1")
    depth.write_bytes(source.path("camera_depth", "drive-0").read_bytes())
    checks = numbers(inspect(tmp_path / "enhanced"))["checks"]
    assert checks["camera_depth is byte-identical to the source's"]["failures"] == ["drive-1"]
    assert checks["tables have the hash in their segment's marker"]["failures"] == ["camera_depth/drive-1"]
    assert checks["camera_semantics is byte-identical to the source's"]["passed"] == 2


def test_a_captured_log_shows_its_labels(tmp_path):
    captured_log(tmp_path / "source")
    page = inspect(tmp_path / "source", tmp_path / "page")
    found = numbers(page)
    assert found["measures"] == {}
    assert found["facts"]["domain"] == "carla-protocol simulator"
    assert page.read_text().count("data:image/jpeg;base64,") == 10 * 4
    assert found["checks"]["pictures have camera depth"] == {"passed": 10, "total": 10, "failures": []}


def test_what_is_no_output_is_refused(tmp_path, folder):
    with pytest.raises(UsageError, match="There is no folder"):
        inspect(tmp_path / "none")
    with pytest.raises(UsageError, match="neither a drive log nor an enhanced folder"):
        inspect(tmp_path)
    (tmp_path / "provenance.json").write_text("{}")
    with pytest.raises(UsageError, match="nothing in it is complete"):
        inspect(tmp_path)
    (folder / "manifest.json").write_text('{"a.jpg": 3}')
    with pytest.raises(UsageError, match="does not name a source"):
        inspect(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        inspect(folder)


def test_a_source_that_moved_is_asked_for_and_can_be_given(tmp_path, folder):
    (tmp_path / "frames").rename(tmp_path / "moved")
    with pytest.raises(UsageError, match=r"source folder .* is absent"):
        inspect(folder)
    assert inspect(folder, source=tmp_path / "moved").is_file()
    source = captured_log(tmp_path / "log")
    enhanced_log(tmp_path / "deep/enhanced", source)
    with pytest.raises(UsageError, match="not beside it"):
        inspect(tmp_path / "deep/enhanced")
    assert inspect(tmp_path / "deep/enhanced", source=tmp_path / "log").is_file()


def test_evenly_keeps_both_ends():
    names = [str(index) for index in range(100)]
    assert evenly(names, 5) == ["0", "25", "50", "74", "99"]
    assert evenly(names, 200) == names
    assert evenly(names, 1) == ["0"]
    assert evenly([], 4) == []
