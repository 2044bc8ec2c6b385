"""Fitting Wan on clips: told of the first frame what generation tells, to the same bytes after an interruption."""

import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from conftest import street
from test_fit import _bytes
from test_wan import Seen
from tiny_wan import tiny_wan

from phipd_sim2real import Cutoff, Enhancer
from phipd_sim2real.diffusion.families import Sampling, load_family
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_batches import Batches, told
from phipd_sim2real.diffusion.fit_data import FitData
from phipd_sim2real.diffusion.fit_settings import ExponentialCutoff, FitSettings, LoraSettings
from phipd_sim2real.diffusion.unpaired_clips import UnpairedClips
from phipd_sim2real.errors import UsageError

VERSIONS = ["2.1", "2.2", "2.2-ti2v"]
KEPT = Cutoff.isotropic(0.03)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Folder of a tiny model of each version, written once."""
    folder = tmp_path_factory.mktemp("bases")

    def base(version: str):
        if not (folder / version).exists():
            tiny_wan(version).save_pretrained(folder / version)
        return folder / version

    return base


def drive(seed: int, count: int) -> list[np.ndarray]:
    """A drawn street that moves to the left, two pixels a frame."""
    wide = street(seed, 48, 64 + 2 * count)
    return [wide[:, 2 * index : 2 * index + 64] for index in range(count)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of three drives of nine pictures."""
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(3):
        (folder / f"drive_{seed}").mkdir()
        for index, image in enumerate(drive(seed, 9)):
            cv2.imwrite(str(folder / f"drive_{seed}/{index}.png"), image)
    return folder


def settings(base, data, **changes) -> FitSettings:
    common = {
        "crops": ({"height": 32, "width": 64, "count": 1, "frames": 5},),
        "steps": 3,
        "warmup_steps": 0,
        "learning_rate": 1e-2,
        "checkpoint_every": 1,
        "cutoff": ExponentialCutoff(mean=0.01, highest=0.0625),
        "prompt": "a street",
        "prompt_dropout": 0.0,
    }
    return FitSettings(data=data, initial=str(base), **common | changes)


def batch_of(family, asked: FitSettings, step: int = 0):
    return Batches(asked, FitData.load(asked).training, family, 0).of_step(step)[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("strength", [0.95, 0.5])  # either side of the boundary between the experts
def test_the_network_is_told_the_same_in_fitting_and_in_generation(bases, version, strength):
    family = load_family(bases(version))
    levels = torch.from_numpy(np.stack(drive(0, 5))[None, :, :32]).movedim(-1, 1).float() / 127.5 - 1
    x_0 = family.encode(levels)
    eps = family.noise(x_0, [KEPT], torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0)))
    sampling = Sampling(strength, 1, prompt="a street")
    with Seen(family) as calls, torch.no_grad():
        family.generate(x_0, eps, [KEPT], sampling, levels[:, :, 0])
        t = torch.tensor([strength])
        x_t, _ = family.corrupt(x_0, eps, t)
        family.predict(family.denoiser, x_t, t, told(family, levels, [KEPT], ["a street"]))
    (generating, wanted), (fitting, found) = calls
    assert fitting is generating
    for name in ("hidden_states", "timestep", "encoder_hidden_states"):
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-6, atol=1e-6)
    pictures = [each["encoder_hidden_states_image"] for each in (found, wanted)]
    assert (pictures[0] is None) == (version != "2.1")
    if version == "2.1":
        torch.testing.assert_close(*pictures, rtol=0, atol=0)
        assert pictures[0].abs().max() > 0


def test_each_clip_of_a_batch_is_told_its_own_first_frame(bases, clips):
    for version in VERSIONS:
        family = load_family(bases(version))
        asked = settings(bases(version), clips, crops=({"height": 32, "width": 64, "count": 3, "frames": 5},))
        batch = batch_of(family, asked)
        assert batch.x_t.shape == batch.target.shape == (3, 16, 2, 32 // family.factor, 64 // family.factor)
        frames = batch.condition["first_frame"]
        assert len(frames) == 3
        assert not torch.equal(frames[0], frames[1])
        # The level that the noise was mixed at leads back to the clean clip, whose first frame is the one told.
        x_0 = batch.x_t - batch.t.view(-1, 1, 1, 1, 1) * batch.target
        torch.testing.assert_close(frames[:, -16:, 0], x_0[:, :, 0], rtol=0, atol=1e-4)
        if version != "2.2-ti2v":
            assert (frames[:, :4, 0] == 1).all()
            assert (frames[:, :4, 1:] == 0).all()


def test_a_frame_in_place_of_its_noise_asks_for_nothing(bases):
    """Wan 2.2 TI2V sees the first frame itself, so that what it says of its noise is not learnt from."""
    family = load_family(bases("2.2-ti2v"))
    target = torch.zeros(1, 16, 2, 2, 4)
    wrong = target.clone()
    wrong[:, :, 0] = 1
    assert family.loss(wrong, target, {"first_frame": target[:, :, :1]}) == 0
    assert family.loss(wrong, target, {}) == 0.5
    assert load_family(bases("2.2")).loss(wrong, target, {"first_frame": target}) == 0.5


def test_two_threads_may_encode_at_once(bases):
    """The next batch is prepared while the model is measured; Wan's autoencoder keeps state during a call."""
    family = load_family(bases("2.1"))
    videos = [torch.rand(1, 3, 5, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in range(8)]
    alone = [family.encode(video) for video in videos]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(family.encode, videos))
    assert all(torch.equal(*pair) for pair in zip(alone, together, strict=True))


def test_single_pictures_are_told_no_frame(bases, clips):
    family = load_family(bases("2.1"))
    batch = batch_of(family, settings(bases("2.1"), clips, crops=({"height": 32, "width": 64, "count": 2},)))
    assert batch.x_t.shape == (2, 16, 1, 4, 8)
    assert set(batch.condition) == {"prompt_embeds"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", ["whole", "adapters"])
def test_fits_resumes_and_enhances(bases, clips, tmp_path, version, way):
    sizes = {"height": 64, "width": 64, "frames": 5, "steps": 1}
    asked = settings(
        bases(version),
        clips,
        crops=({"height": 32, "width": 64, "count": 2, "frames": 5}, {"height": 32, "width": 32, "count": 1}),
        steps=2,
        lora=LoraSettings(rank=2) if way == "adapters" else None,
        gradient_checkpointing=True,
        validation=sizes | {"share": 0.6, "every": 2, "pictures": 2},
        samples=sizes | {"every": 2, "pictures": 1, "cutoffs": [0.03]},
    )
    whole = fit(asked, tmp_path / "whole")

    def break_off(label, step, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(asked, tmp_path / "parts", break_off)
    fit(asked, tmp_path / "parts")
    assert _bytes(whole) == _bytes(tmp_path / "parts")
    sheet = cv2.imread(str(whole / "training/samples/step-00002.jpg"))
    assert sheet.shape == (3 * 64 + 2 * 4, 3 * 64 + 2 * 4, 3)  # first, middle and last frame: source, noise, result
    record, card = json.loads((whole / "fit.json").read_text()), (whole / "README.md").read_text()
    measured = {row["name"]: (row["valid"], row["total"]) for row in record["validation"]["measures"]}
    assert measured["loss"] == (2, 2)
    assert measured["phase_coherence@0.2"] == (10, 10)  # of every frame
    assert "2 clips of 5 frames of 64×32 or 1 crops of 32×32" in card
    assert "enhance_stream(frames, seed=0" in card
    assert "clips of up to 5 frames" in card
    method = {"cutoff": 0.03, "strength": 0.8, "steps": 1, "prompt": "a street", "window": 5}
    before, after = (
        np.stack(list(Enhancer.from_pretrained(model, device="cpu").enhance_stream(drive(9, 7), 1, **method)))
        for model in (bases(version), whole)
    )
    assert after.shape == (7, 48, 64, 3)
    assert (before != after).any()


def test_loss_falls_on_clips(bases, clips, tmp_path):
    asked = settings(bases("2.1"), clips, steps=60, checkpoint_every=15, learning_rate=2e-2)
    fit(asked, tmp_path)
    losses = [float(line.split(",")[1]) for line in (tmp_path / "training/loss.csv").read_text().splitlines()[1:]]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("section", "frames", "sentence"),
    [
        ("crops", 6, "crops of 6 frames are not possible; take a multiple of 4, plus 1"),
        ("samples", 4, "samples of 4 frames are not possible"),
        ("validation", 2, "validation of 2 frames are not possible"),
    ],
)
def test_refuses_clips_of_a_length_that_is_not_possible(bases, clips, tmp_path, section, frames, sentence):
    size = {"height": 64, "width": 64, "frames": frames}
    more = {"share": 0.6} if section == "validation" else {}
    asked = settings(bases("2.1"), clips, **{section: (size,) if section == "crops" else size | more})
    with pytest.raises(UsageError, match=sentence):
        fit(asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refuses_clips_for_models_of_pictures(tiny_fit, tiny_model, clips, tmp_path):
    crops = ({"height": 32, "width": 32, "frames": 5},)
    with pytest.raises(ValueError, match="crops of 5 frames are for video models; this one needs frames=1"):
        FitSettings(**tiny_fit.model_dump() | {"data": clips, "crops": crops})
    asked = FitSettings(**tiny_fit.model_dump() | {"data": clips, "crops": crops, "initial": str(tiny_model)})
    with pytest.raises(UsageError, match="crops of 5 frames are for video models"):
        fit(asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refuses_clips_that_the_data_or_the_limit_have_no_room_for(bases, clips, tmp_path):
    longer = ({"height": 32, "width": 64, "frames": 13},)
    with pytest.raises(UsageError, match=f"takes 13 consecutive pictures, and the longest run of {clips.name} has 9"):
        fit(settings(bases("2.1"), clips, crops=longer), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="max_images=20 is less than the 25 pictures"):
        settings(bases("2.1"), clips, crops=longer, stride=2, max_images=20)


def test_data_is_read_as_clips_only_where_clips_are_asked_for(bases, clips):
    pictures = settings(bases("2.1"), clips, crops=({"height": 32, "width": 64},))
    assert not isinstance(FitData.load(pictures).training, UnpairedClips)
    assert isinstance(FitData.load(settings(bases("2.1"), clips)).training, UnpairedClips)
