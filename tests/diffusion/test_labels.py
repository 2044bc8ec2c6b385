"""What the method sees of a log's labels: pictures for ControlNets, maps of rigidity, and what is refused."""

import cv2
import numpy as np
import pytest
import torch
from conftest import street
from test_sources import _bytes, _image_row
from tiny_families import KINDS, tiny_controlnet, tiny_pipeline

from phipd_sim2real.diffusion import EnhanceSettings, enhance_log, enhance_path
from phipd_sim2real.diffusion.clip_noise import rigid_noise, white_noise
from phipd_sim2real.diffusion.clips import enhance_clip
from phipd_sim2real.diffusion.enhancer import Enhancer
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.label_pictures import class_names, depth_picture, rigidity_map, semantics_picture
from phipd_sim2real.drivelog import (
    CAMERA,
    TIMESTAMP,
    DriveLog,
    Provenance,
    SegmentWriter,
    column,
    decode_jpeg,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.drivelog.images import METRES_PER_UNIT, encode_depth, encode_labels
from phipd_sim2real.errors import UsageError
from phipd_sim2real.motion_geometry import Flow

HEIGHT, WIDTH = 48, 64
RIGID = {"elsewhere": 0.0, "classes": {"road": 1.0}}


def _depth(frame):
    """Sky above; below it a ground that comes nearer with every frame."""
    depth = np.full((HEIGHT, WIDTH), 1000.0)
    depth[HEIGHT // 2 :] = np.linspace(40, 4 - frame, HEIGHT // 2)[:, None]
    return depth


def _semantics(frame):
    labels = np.full((HEIGHT, WIDTH), 11, np.uint8)
    labels[HEIGHT // 2 :] = 1
    labels[HEIGHT // 2 :, 10 * frame : 10 * frame + 10] = 24
    return labels


def _log(root, components=("camera_depth", "camera_semantics"), frames=2, labelled=2):
    for segment in ("a", "b"):
        with SegmentWriter(root, segment, "hash") as writer:
            for frame in range(frames):
                writer.append("camera_image", _image_row(frame, 1, street(frame, HEIGHT, WIDTH)))
                for component in components if frame < labelled else ():
                    image = encode_depth(_depth(frame)) if component == "camera_depth" else None
                    scale = {} if image is None else {column(component, "metres_per_unit"): METRES_PER_UNIT}
                    own = {column(component, "image"): image or encode_labels(_semantics(frame))}
                    writer.append(component, {TIMESTAMP: frame, CAMERA: 1} | own | scale)
    write_provenance(root, Provenance(domain="drawn", config={}, config_hash="hash", seed=0))
    return DriveLog(root)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return _log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module", params=KINDS)
def controlled(request, tmp_path_factory):
    """Settings of a tiny model of each kind with a ControlNet."""
    root = tmp_path_factory.mktemp(request.param)
    pipeline = tiny_pipeline(request.param)
    pipeline.save_pretrained(root / "model")
    tiny_controlnet(request.param, pipeline).save_pretrained(root / "controlnet")
    shared = {"precision": "float32", "jpeg_quality": 100, "steps": 1}
    return {"model": str(root / "model"), "controlnet": str(root / "controlnet")} | shared


def _images(log, segment="a"):
    return [decode_jpeg(data) for data in log.table("camera_image", segment)[column("camera_image", "image")]]


@pytest.mark.parametrize("control", ["depth", "semantics"])
def test_a_controlnet_sees_the_labels_of_each_frame(controlled, log, tmp_path, control):
    settings = EnhanceSettings(**controlled, control=control)
    enhance_log(log, tmp_path, settings)
    picture = depth_picture if control == "depth" else semantics_picture
    made = _depth if control == "depth" else _semantics
    seen = iter([picture(made(0)), picture(made(1))])
    enhancer = Enhancer.from_settings(settings)
    expected = [
        enhancer.enhance(image[None], [frame_seed(0, "a", time, 1)], steps=1, control=next(seen)[None])[0]
        for time, image in enumerate(_images(log))
    ]
    enhanced = DriveLog(tmp_path).table("camera_image", "a")[column("camera_image", "image")]
    assert list(enhanced) == [encode_jpeg(image, 100) for image in expected]
    swapped = 255 - picture(made(0))[None]
    other = enhancer.enhance(_images(log)[0][None], [frame_seed(0, "a", 0, 1)], steps=1, control=swapped)
    assert (other[0] != expected[0]).any()
    recorded = DriveLog(tmp_path).provenance
    assert recorded.config["control"] == control
    assert "controlnet controlnet" in recorded.checkpoints


def test_depth_is_inverse_near_is_white_and_the_sky_black():
    depth = np.array([[1000.0, 2.0], [4.0, 8.0]])
    assert depth_picture(depth)[..., 0].tolist() == [[0, 255], [128, 64]]
    without_sky = np.array([[2.0, 4.0], [8.0, 8.0]])  # 255 (1/4 - 1/8) / (1/2 - 1/8)
    assert depth_picture(without_sky)[..., 1].tolist() == [[255, 85], [0, 0]]
    assert not depth_picture(np.full((2, 2), 1000.0)).any()


def test_semantics_have_the_colours_of_ade20k():
    picture = semantics_picture(np.array([[1, 24, 14], [11, 12, 0]], np.uint8))
    assert picture.tolist() == [
        [[140, 140, 140], [140, 140, 140], [0, 102, 200]],
        [[6, 230, 230], [150, 5, 61], [0, 0, 0]],
    ]


def test_rigid_classes_are_widened_and_the_most_rigid_holds():
    semantics = np.zeros((9, 9), np.uint8)
    semantics[4, 4], semantics[4, 6] = 6, 14
    rigidity = rigidity_map(semantics, (9, 9), 0.3, {"poles": 1.0, "vehicles": 0.5}, 1)
    assert (rigidity[3:6, 3:6] == 1).all()
    assert (rigidity[3:6, 6:8] == 0.5).all()
    assert (rigidity == np.float32(0.3)).sum() == 81 - 9 - 6


def test_loose_classes_hold_on_their_own_pixels_alone():
    semantics = np.zeros((9, 9), np.uint8)
    semantics[4, 4] = 9
    rigidity = rigidity_map(semantics, (9, 9), 0.5, {"vegetation": 0.0}, 2)
    assert rigidity[4, 4] == 0
    assert (rigidity == 0.5).sum() == 80


def test_kerbs_lie_between_road_and_sidewalk():
    semantics = np.full((6, 6), 1, np.uint8)
    semantics[:, 3:] = 2
    assert rigidity_map(semantics, (6, 6), 0, {"kerbs": 1}, 0).nonzero()[1].tolist() == [2, 3] * 6


def test_classes_are_known_by_both_kinds_of_names():
    assert class_names()["road_line"] == class_names()["lane_paint"] == (24,)
    with pytest.raises(ValueError, match=r"no classes \['lanes'\]; there are bicycle, bridge"):
        EnhanceSettings(rigidity={"elsewhere": 0.1, "classes": {"lanes": 1.0}})


def test_structure_is_kept_where_it_is_rigid(tiny_model):
    """Noise of the same picture: drawn with other seeds it is alike on the road, independent in the sky."""
    settings = EnhanceSettings(model=str(tiny_model), rigidity=RIGID)
    enhancer = Enhancer.from_settings(settings, device="cpu")
    images = np.stack([street(1, 128, 128)] * 8)
    rigidity = np.zeros((8, 128, 128), np.float32)
    rigidity[:, 64:] = 1
    white = [white_noise(enhancer.noise_shape(128, 128), seed) for seed in range(8)]
    made = rigid_noise(enhancer, images, torch.stack(white), rigidity)
    border = enhancer.family.border
    noise = made["noise"][..., border : border + 128, border : border + 128]
    mean = noise.mean(0)  # of independent draws 1/8 of the variance is left
    assert mean[:, :48].var() == pytest.approx(1 / 8, rel=0.2)
    assert mean[:, 80:].var() > 0.4
    assert [kept.shares for kept in made["cutoff"]] == [(0.5,)] * 8


def test_rigidity_reaches_a_log_and_is_resumed_to_the_same_bytes(tiny_model, log, tmp_path):
    settings = EnhanceSettings(model=str(tiny_model), steps=1, rigidity=RIGID)
    for name in ("straight", "resumed"):
        enhance_log(log, tmp_path / name, settings)
    (tmp_path / "resumed/_complete/b.json").unlink()
    assert enhance_log(log, tmp_path / "resumed", settings).enhanced == 2
    assert _bytes(tmp_path / "resumed") == _bytes(tmp_path / "straight")
    config = DriveLog(tmp_path / "straight").provenance.config
    assert config["rigidity"] == {"elsewhere": 0.0, "classes": {"road": 1.0}, "widened_px": 4}
    assert config["cutoff"] == "auto"
    loose = settings.model_copy(update={"rigidity": EnhanceSettings(rigidity={"elsewhere": 0.0}).rigidity})
    enhance_log(log, tmp_path / "loose", loose)
    assert (np.stack(_images(DriveLog(tmp_path / "loose"))) != _images(DriveLog(tmp_path / "straight"))).any()


def test_a_folder_takes_constant_rigidity(tiny_model, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index, size in enumerate(((48, 64), (48, 64), (56, 90))):
        cv2.imwrite(str(pictures / f"{index}.png"), street(index, *size))
    settings = EnhanceSettings(model=str(tiny_model), steps=1, rigidity={"elsewhere": 0.5})
    for name in ("one", "two"):
        assert enhance_path(pictures, tmp_path / name, settings).enhanced == 3
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    free = EnhanceSettings(model=str(tiny_model), steps=1, rigidity={"elsewhere": 0.0})
    enhance_path(pictures, tmp_path / "free", free)
    enhancer = Enhancer.from_settings(free)
    seed, image = frame_seed(0, "2.png"), decode_jpeg((pictures / "2.png").read_bytes())
    gaussian = enhancer.enhance(image[None], [seed], cutoff=0.0, steps=1)
    free_picture = decode_jpeg((tmp_path / "free/2.png").read_bytes())
    np.testing.assert_allclose(free_picture.astype(int), gaussian[0], rtol=0, atol=1)  # a transform there and back


def test_rigidity_of_a_latent_model_needs_a_large_enough_grid(tmp_path):
    tiny_pipeline("sd15").save_pretrained(tmp_path / "model")
    settings = EnhanceSettings(model=str(tmp_path / "model"), steps=1, rigidity={"elsewhere": 0.5})
    for folder, size in (("large", (128, 136)), ("small", (120, 160))):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "street.png"), street(0, *size))
    assert enhance_path(tmp_path / "large", tmp_path / "out", settings).enhanced == 1
    with pytest.raises(UsageError, match=r"160×120 pixels .* 80×60 cells .* at least 121 pixels"):
        enhance_path(tmp_path / "small", tmp_path / "small-out", settings)
    assert not list((tmp_path / "small-out").glob("*.png"))


def test_a_still_clip_stays_still_with_rigidity_along_the_motion(tiny_model):
    still = Flow(np.zeros((HEIGHT, WIDTH, 2), np.float32), np.ones((HEIGHT, WIDTH), bool))
    settings = EnhanceSettings(model=str(tiny_model), steps=1, temporal="warp", rigidity={"elsewhere": 0.5})
    frames = [street(1)] * 2
    clip = list(enhance_clip(Enhancer.from_settings(settings), frames, [1, 2], lambda *_: still, settings))
    np.testing.assert_array_equal(clip[0], clip[1])


NEEDED = [
    ({"controlnet": "x", "control": "depth"}, "camera_depth"),
    ({"controlnet": "x", "control": "semantics"}, "camera_semantics"),
    ({"rigidity": RIGID}, "camera_semantics"),
]


@pytest.mark.parametrize(("how", "component"), NEEDED)
def test_sources_without_labels_are_refused_before_any_work(tiny_model, pictures, tmp_path, how, component):
    settings = EnhanceSettings(model=str(tiny_model), **how)
    (tmp_path / "in.mp4").write_bytes(b"x")
    other = {"camera_depth", "camera_semantics"} - {component}
    unlabelled = _log(tmp_path / "log", sorted(other))
    for source, out in ((pictures, "out"), (tmp_path / "in.mp4", "out.mp4"), (unlabelled.root, "out")):
        with pytest.raises(UsageError, match=f"{component}.*settings look at|settings look at {component}"):
            enhance_path(source, tmp_path / out, settings)
        assert not (tmp_path / out).exists()


def test_a_frame_without_its_label_is_named(tiny_model, tmp_path):
    settings = EnhanceSettings(model=str(tiny_model), rigidity=RIGID)
    with pytest.raises(UsageError, match=r"1 frames of camera 1 in segment a have no camera_semantics, .* at 1 µs"):
        enhance_log(_log(tmp_path / "log", labelled=1), tmp_path / "out", settings)


def test_labels_of_another_size_are_refused(tiny_model):
    settings = EnhanceSettings(model=str(tiny_model), rigidity=RIGID)
    enhancer = Enhancer.from_settings(settings)
    labels = lambda component, number: np.ones((10, 10), np.uint8)  # noqa: E731
    with pytest.raises(UsageError, match=r"\(10, 10\) do not fit"):
        next(enhance_clip(enhancer, [street(0)], [0], None, settings, labels))
    with pytest.raises(UsageError, match="give labels"):
        next(enhance_clip(enhancer, [street(0)], [0], None, settings))


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"rigidity": RIGID, "cutoff": 0.1}, "cutoff or free_below and rigidity"),
        ({"rigidity": RIGID, "profile": {"edges": (0, 1), "shares": (1,)}}, "profile and rigidity"),
        ({"profile": {"edges": (0, 1), "shares": (1,)}, "free_below": 0.1}, "cutoff or free_below and profile"),
        ({"rigidity": RIGID, "temporal": "3d"}, "no temporal=3d"),
        ({"rigidity": RIGID, "noise": "released"}, "no published noise"),
        ({"rigidity": {"elsewhere": 1.5}}, "less than or equal to 1"),
        ({"correlation": 0.5, "temporal": "warp"}, "temporal=frame"),
        ({"correlation": 1.5}, "less than or equal to 1"),
        ({"control": "depth"}, "go together"),
        ({"profile": "parking"}, "no such profile; give detection, planning, segmentation, a .yaml file"),
        ({"profile": "no/such.yaml"}, "no such profile"),
    ],
)
def test_contradictions_are_refused(how, sentence):
    with pytest.raises(ValueError, match=sentence):
        EnhanceSettings(**how)
