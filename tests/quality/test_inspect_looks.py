"""What an inspection says of labels, motion and realism, and the files that it asks for by option."""

import json

import cv2
import numpy as np
import pytest
from known_pictures import labelled_street, textured
from test_inspect import zeros

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
from phipd_sim2real.quality.inspect import InspectOptions, inspect
from phipd_sim2real.quality.realism import Realism
from phipd_sim2real.quality.reference import Reference, fitted

HEIGHT, WIDTH, FRAMES = 160, 240, 4
PIXELS_PER_FRAME = 2
INTRINSICS = {"intrinsic.f_u": 100.0, "intrinsic.f_v": 100.0, "intrinsic.c_u": 120.0, "intrinsic.c_v": 80.0}


def written_log(root, pictures, source=None):
    """A camera that slides 0.4 m to the right per frame before a wall 20 m away, so the wall moves 2 px to the left."""
    recorded = source and source.provenance.model_dump(mode="json")
    domain = "enhanced" if source else "carla-protocol simulator"
    code = ("e" if source else "c") * 64
    write_provenance(root, Provenance(domain=domain, config={}, config_hash=code, seed=1, source_log=recorded))
    _, labels = labelled_street(HEIGHT, WIDTH)
    labels[labels == 14] = 1  # a car would need a box
    with SegmentWriter(root, "wall", code) as writer:
        if source:
            for component in set(source.components("wall")) - {"camera_image"}:
                writer.copy(component, source)
        else:
            keys = {SEGMENT: "wall", CAMERA: 1}
            size = {"width": WIDTH, "height": HEIGHT}
            writer.append("camera_calibration", zeros("camera_calibration", **keys, **INTRINSICS, **size))
            writer.append("lidar_box", zeros("lidar_box", **{SEGMENT: "wall", TIMESTAMP: 0, OBJECT: "1"}))
        for index, picture in enumerate(pictures):
            keys = {SEGMENT: "wall", TIMESTAMP: index * 100_000, CAMERA: 1}
            pose = np.eye(4)
            pose[1, 3] = -0.4 * index
            image = {"image": encode_jpeg(picture, 95), "pose.transform": pose.ravel()}
            writer.append("camera_image", zeros("camera_image", **keys, **image))
            if not source:
                depth = encode_depth(np.full((HEIGHT, WIDTH), 20.0, np.float32))
                label = {"image": encode_labels(np.roll(labels, -PIXELS_PER_FRAME * index, axis=1))}
                writer.append("camera_semantics", zeros("camera_semantics", **keys, **label))
                writer.append(
                    "camera_depth", zeros("camera_depth", **keys, image=depth, metres_per_unit=METRES_PER_UNIT)
                )
                writer.append("vehicle_pose", zeros("vehicle_pose", **{SEGMENT: "wall", TIMESTAMP: index * 100_000}))
    return DriveLog(root)


def sliding(grain):
    """The street on the wall; `grain` is noise that does not move with it."""
    street = cv2.addWeighted(labelled_street(HEIGHT, WIDTH)[0], 0.8, textured(0, HEIGHT, WIDTH), 0.2, 0)
    for index in range(FRAMES):
        noise = np.random.default_rng(index).normal(0, grain, street.shape)
        yield np.clip(np.roll(street, -PIXELS_PER_FRAME * index, axis=1) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def enhanced(tmp_path_factory):
    """A log whose enhancement added grain, beside its source, and a reference of the same grain."""
    root = tmp_path_factory.mktemp("logs")
    source = written_log(root / "source", list(sliding(0)))
    written_log(root / "enhanced", list(sliding(12)), source)
    (root / "reference").mkdir()
    for index, picture in enumerate(sliding(12)):
        (root / f"reference/{index}.jpg").write_bytes(encode_jpeg(picture[:, ::-1], 95))
    return root / "enhanced"


def found(page):
    return json.loads((page.parent / "inspect.json").read_text())


def test_motion_boundaries_and_realism_are_measured_and_shown(enhanced, tmp_path):
    steps = []
    options = InspectOptions(reference=enhanced.parent / "reference")
    page = inspect(enhanced, tmp_path, lambda *step: steps.append(step), options=options)
    numbers, text = found(page), page.read_text()
    assert ("measure motion", 3, 3) in steps
    motion = numbers["motion"]
    assert {name: (item["valid"], item["total"]) for name, item in motion.items()} == dict.fromkeys(
        ("gt_flow_warp_error", "gt_flow_warp_excess", "flow_consistency", "flow_consistency_before"), (3, 3)
    )
    raw = motion["gt_flow_warp_error"]["mean"] - motion["gt_flow_warp_excess"]["mean"]
    assert 0 < raw < 0.2 * motion["gt_flow_warp_error"]["mean"]  # only JPEG; the wall moves as the flow says
    assert motion["flow_consistency_before"]["mean"] < 0.3
    classes = numbers["label_boundaries"]["classes"]
    assert classes["poles"]["frames"] == classes["kerbs"]["frames"] == FRAMES
    assert classes["vehicles"] == {
        "recall": None,
        "chance": 0.0,
        "beyond_chance": None,
        "pixels": 0,
        "frames": 0,
    }
    assert 0.5 < numbers["label_boundaries"]["label_safety"]["value"] <= 1
    realism = numbers["realism"]["measures"]
    assert realism["texture_kid"]["after"]["value"] < 0.2 * realism["texture_kid"]["before"]["value"]
    assert realism["texture_kid"]["after"]["items"] == FRAMES * 3 * 5
    assert numbers["realism"]["record"]["reference pictures"] == str(FRAMES)
    assert "built-in" not in text
    for heading in ("Label safety, class by class", "Realism, against the reference", "Motion, against"):
        assert heading in text
    assert page.read_bytes() == inspect(enhanced, tmp_path / "again", options=options).read_bytes()


def test_a_captured_log_has_motion_and_no_before(enhanced, tmp_path):
    numbers = found(
        inspect(enhanced.parent / "source", tmp_path, options=InspectOptions(reference=enhanced.parent / "reference"))
    )
    assert set(numbers["motion"]) == {"gt_flow_warp_error", "flow_consistency"}
    assert numbers["label_boundaries"] == {}
    assert numbers["realism"]["measures"]["lab_frechet"]["before"] is None
    assert numbers["realism"]["measures"]["lab_frechet"]["after"]["value"] > 0


def test_a_pair_that_cannot_be_measured_is_counted(enhanced, tmp_path):
    pictures = list(sliding(0))
    pictures[1] = pictures[1][:100]
    source = DriveLog(enhanced.parent / "source")
    written_log(tmp_path / "cut", pictures, source)
    motion = found(inspect(tmp_path / "cut", source=enhanced.parent / "source"))["motion"]
    assert (motion["gt_flow_warp_excess"]["valid"], motion["gt_flow_warp_excess"]["total"]) == (1, 3)
    assert motion["flow_consistency"]["reasons"] == {"the two pictures differ in size": 2}


def test_networks_given_by_path_add_their_measures(enhanced, tmp_path):
    torch = pytest.importorskip("torch")
    from test_networks import trunk
    from transformers import ConvNextV2Config, ConvNextV2Model

    torch.manual_seed(0)
    folder = tmp_path / "tiny-convnext"
    ConvNextV2Model(ConvNextV2Config(hidden_sizes=[4, 4, 4, 6], depths=[1, 1, 1, 1])).save_pretrained(folder)
    weights = tmp_path / "alexnet.pth"
    torch.save({f"features.{name}": value for name, value in trunk("alexnet").state_dict().items()}, weights)
    options = InspectOptions(enhanced.parent / "reference", features=folder, lpips_weights=weights)
    page = inspect(enhanced, tmp_path / "page", options=options)
    numbers = found(page)
    assert numbers["measures"]["lpips"]["valid"] == FRAMES
    assert numbers["measures"]["lpips"]["mean"] > 0
    realism = numbers["realism"]["measures"]
    assert realism["kid"]["after"]["items"] == FRAMES
    assert "FID is biased below 10000 pictures" in realism["fid"]["after"]["warning"]
    assert numbers["realism"]["record"]["network"] == "tiny-convnext"
    assert len(numbers["realism"]["record"]["sha256"]) == 64
    assert "Compare KID instead" in page.read_text()


def test_options_that_name_nothing_are_refused_before_any_work(enhanced, tmp_path):
    for options, sentence in (
        (InspectOptions(features=tmp_path), "name one with --reference"),
        (InspectOptions(reference=tmp_path / "none"), "given with --reference"),
        (InspectOptions(reference=tmp_path), "holds no images"),
        (InspectOptions(lpips_weights=tmp_path / "none"), "--lpips-weights names"),
        (InspectOptions(enhanced.parent / "reference", tmp_path / "none"), "--features names"),
    ):
        with pytest.raises(UsageError, match=sentence):
            inspect(enhanced, tmp_path / "page", options=options)
    assert not (tmp_path / "page").exists()


def test_a_reference_of_another_size_is_covered_and_cut(tmp_path):
    picture = textured(0, 100, 300)
    np.testing.assert_array_equal(fitted(picture, 100, 200), picture[:, 50:250])
    assert fitted(picture, 50, 70).shape == (50, 70, 3)
    assert fitted(picture, 333, 205).shape == (333, 205, 3)
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(UsageError, match="is damaged"):
        list(Reference.from_path(tmp_path).pictures(10, 10))


def test_a_reference_reads_its_pictures_once_for_all_that_is_compared_with_it(tmp_path, monkeypatch):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), textured(index, 96, 144))
    made = textured(9, 96, 144)

    def compared(reference):
        realism = Realism(reference)
        realism.add(None, made)
        return [row.after.measurement for row in realism.rows()]

    reference, read = Reference.from_path(tmp_path), []
    pictures = Reference.pictures
    monkeypatch.setattr(Reference, "pictures", lambda *given: read.append(given[1:]) or pictures(*given))
    first, again = compared(reference), compared(reference)
    assert read == [(96, 144)]
    assert first == again == compared(Reference.from_path(tmp_path))
    assert reference.look(48, 72).colours.pixels == 3 * 48 * 72
    assert read[-1] == (48, 72), "another size is another look"
