"""Wan image-to-video under the method: each latent frame an image, clips from a first frame, videos of any length."""

import json
import shutil
from itertools import count

import cv2
import numpy as np
import pytest
import torch
from conftest import street
from safetensors.torch import load_file
from tiny_wan import tiny_wan

from phipd_sim2real import Cutoff, Enhancer
from phipd_sim2real.diffusion import EnhanceSettings, enhance_video
from phipd_sim2real.diffusion.families import Sampling, load_family
from phipd_sim2real.diffusion.families.wan import WanFamily
from phipd_sim2real.diffusion.families.wan_clips import Clips
from phipd_sim2real.diffusion.families.wan_parts import EulerSteps
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_settings import FitSettings, LoraSettings
from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import structured_noise

KEPT = Cutoff.isotropic(0.03)
SAMPLING = Sampling(0.8, 1)


@pytest.fixture(scope="module", params=["2.1", "2.2"])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(f"wan-{request.param}")
    tiny_wan(request.param).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def family(folder):
    return load_family(folder)


@pytest.fixture(scope="module")
def frames():
    return [street(index, 36, 60) for index in range(9)]


def clip(family, latent_frames=2):
    """x_0, noise and first frame of a drawn clip of 32 × 48 pixels."""
    picture = torch.from_numpy(street(0, 32, 48)).permute(2, 0, 1) / 127.5 - 1
    video = picture[None, :, None].repeat(1, 1, 4 * latent_frames - 3, 1, 1)
    x_0 = family.encode(video)
    _, rows, columns = family.noise_shape(32, 48)
    white = torch.randn(1, 16, latent_frames, rows, columns, generator=torch.Generator().manual_seed(0))
    return video, x_0, white, picture[None]


def test_every_latent_frame_is_an_image_of_its_own(family):
    _, x_0, white, _ = clip(family)
    noise = family.noise(x_0, [KEPT], white)
    assert noise.shape == x_0.shape == (1, 16, 2, 4, 6)
    for frame in range(2):
        alone = family.noise(x_0[:, :, frame : frame + 1], [KEPT], white[:, :, frame])
        torch.testing.assert_close(noise[:, :, frame], alone[:, :, 0], rtol=0, atol=0)
    by_hand = structured_noise(x_0[:, :, 1], white[:, :, 1], KEPT.on_grid(8), seamless=True)
    torch.testing.assert_close(noise[:, :, 1], by_hand, rtol=0, atol=1e-5)
    assert family.noise_shape(32, 48) == (16, 4, 6)


def test_latents_are_those_of_the_pipeline(family):
    video, x_0, _, _ = clip(family, 1)
    decoded = family.decode(x_0)
    plain = family.pipeline.vae.decode(family.pipeline.vae.encode(video).latent_dist.mode()).sample
    torch.testing.assert_close(decoded, plain[:, :, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("strength", [1.0, 0.6, 0.05])
def test_steps_begin_at_the_strength(family, strength):
    sigmas = family.schedule(strength, 4, (4, 6))["sigmas"]
    steps = EulerSteps.of(sigmas, family.shift((4, 6)), 1000)
    steps.set_timesteps(4)
    assert steps.sigmas[0] == pytest.approx(strength, abs=1e-6)
    assert steps.timesteps[0] == pytest.approx(1000 * strength, abs=1e-3)
    assert len(steps.timesteps) == 4
    assert (steps.sigmas.diff() < 0).all()


def test_little_noise_gives_back_the_source(family):
    _, x_0, white, first = clip(family)
    noise = family.noise(x_0, [None], white)
    result = family.generate(x_0, noise, [None], Sampling(1e-4, 1), first)
    assert result.shape == (1, 3, 5, 32, 48)
    torch.testing.assert_close(result, family.decode(x_0), rtol=0, atol=2e-2)


class Seen:
    """What the networks are given while it is in force."""

    def __init__(self, family):
        parts = (family.pipeline.transformer, family.pipeline.transformer_2)
        self.networks = [part for part in parts if part is not None]
        self.calls = []

    def __enter__(self):
        self.hooks = [
            network.register_forward_pre_hook(
                lambda module, _, inputs: self.calls.append((module, inputs)), with_kwargs=True
            )
            for network in self.networks
        ]
        return self.calls

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()


def test_the_first_frame_is_given_to_clips_and_withheld_from_pictures(family):
    _, x_0, white, first = clip(family)
    noise = family.noise(x_0, [KEPT], white)
    with Seen(family) as calls:
        family.generate(x_0, noise, [KEPT], Sampling(0.8, 1), first)
        family.generate(x_0, noise, [KEPT], Sampling(0.8, 1))
    given, withheld = (inputs["hidden_states"] for _, inputs in calls)
    start = 0.8 * noise + 0.2 * x_0
    for states in (given, withheld):
        torch.testing.assert_close(states[:, :16], start)
    assert (given[:, 16:20, 0] == 1).all()
    assert (given[:, 16:20, 1:] == 0).all()
    assert (withheld[:, 16:20] == 0).all()
    torch.testing.assert_close(given[:, 20:, 0], x_0[:, :, 0], rtol=0, atol=1e-2)  # rounded to whole levels
    torch.testing.assert_close(withheld[:, 20:], family.encode(torch.zeros(1, 3, 5, 32, 48)))


def test_wan_22_changes_network_at_its_boundary():
    family = WanFamily(tiny_wan("2.2"))
    _, x_0, white, first = clip(family)
    with Seen(family) as calls:
        family.generate(x_0, family.noise(x_0, [KEPT], white), [KEPT], Sampling(1.0, 4), first)
    high, low = family.pipeline.transformer, family.pipeline.transformer_2
    levels = [(inputs["timestep"].item(), module) for module, inputs in calls]
    assert {module for _, module in levels} == {high, low}
    assert all((module is high) == (level >= 900) for level, module in levels)
    # A batch on both sides of it is answered as each of its members alone.
    x_t, t, condition = torch.randn(3, 16, 1, 4, 6), torch.tensor([0.2, 0.95, 0.5]), family.condition([], ["a"] * 3)
    with torch.no_grad():
        together = family.predict(family.denoiser, x_t, t, condition)
        for index, network in enumerate((low, high, low)):
            rows = slice(index, index + 1)
            alone = family.predict(network, x_t[rows], t[rows], family.condition([], ["a"]))
            torch.testing.assert_close(together[rows], alone, rtol=0, atol=1e-5)


def test_prompts_and_guidance_count(family):
    _, x_0, white, first = clip(family)
    noise = family.noise(x_0, [KEPT], white)

    def frames(**asked):
        return family.generate(x_0, noise, [KEPT], Sampling(0.8, 1, **asked), first)

    plain = frames(prompt="a street")
    assert not torch.equal(plain, frames(prompt="rain"))
    torch.testing.assert_close(plain, frames(prompt="a street", negative_prompt="rain"), rtol=0, atol=0)
    guided = frames(prompt="a street", negative_prompt="rain", guidance=3.0)
    assert not torch.equal(guided, plain)
    assert not torch.equal(guided, frames(prompt="a street", negative_prompt="drawing", guidance=3.0))


def test_a_long_video_is_chained_by_last_frames(family, frames):
    method = Clips(family, KEPT, SAMPLING, seed=3, window=5)
    result = list(method.enhance(frames))
    assert [image.shape for image in result] == [(36, 60, 3)] * 9
    assert {image.dtype for image in result} == {np.dtype(np.uint8)}
    np.testing.assert_array_equal(list(method.enhance(frames[:5])), result[:5])
    np.testing.assert_array_equal(list(method.enhance(frames)), result)
    # The second window alone, from the frame that the first one ends with and with its own noise
    shifted = Clips(family, KEPT, SAMPLING, 3, white=lambda start, shape: method._drawn(start + 4, shape), window=5)
    np.testing.assert_array_equal(list(shifted.enhance(frames[4:], first=result[4]))[1:], result[5:])
    other = Clips(family, KEPT, SAMPLING, seed=4, window=5)
    assert (next(other.enhance(frames[:2])) != result[0]).any()


@pytest.mark.parametrize("length", [1, 2, 6, 7])
def test_videos_of_any_length_keep_it(family, frames, length):
    assert len(list(Clips(family, KEPT, SAMPLING, seed=0, window=5).enhance(frames[:length]))) == length


def test_only_one_window_is_read_ahead(family, frames):
    taken = count()
    stream = Clips(family, KEPT, SAMPLING, seed=0, window=5).enhance(frames[i % 9] for i in taken)
    for _ in range(6):
        next(stream)
    assert next(taken) == 9  # the first window's 5 and the second's 4 more


def test_refuses_impossible_windows(family):
    with pytest.raises(UsageError, match="Clips of 6 frames are not possible; take a multiple of 4, plus 1"):
        Clips(family, KEPT, SAMPLING, seed=0, window=6)


def test_refuses_pictures_for_a_controlnet(folder, frames):
    with pytest.raises(UsageError, match="takes no ControlNet"):
        list(Enhancer.from_pretrained(folder, device="cpu").enhance_stream(frames, 0, control="canny"))


def wan_fit(folder, pictures, **changes):
    crops = ({"height": 32, "width": 32, "count": 2},)
    common = {"steps": 2, "crops": crops, "warmup_steps": 1, "checkpoint_every": 2, "learning_rate": 1e-2}
    return FitSettings(data=pictures, initial=str(folder), cutoff=(0.01, 0.05), **common | changes)


def test_fit_save_load_enhance(folder, pictures, frames, tmp_path):
    model = fit(wan_fit(folder, pictures), tmp_path / "model")
    before, after = load_family(folder), load_family(model)
    changed = zip(before.denoiser.parameters(), after.denoiser.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in changed)
    enhancer = Enhancer.from_pretrained(model, device="cpu")
    assert enhancer.is_video
    method = {"cutoff": 0.03, "strength": 0.7, "steps": 1, "prompt": "a street"}
    result = list(enhancer.enhance_stream(frames[:5], 7, **method))
    assert [image.shape for image in result] == [(36, 60, 3)] * 5
    np.testing.assert_array_equal(list(enhancer.enhance_stream(frames[:5], 7, **method)), result)
    unfitted = Enhancer.from_pretrained(folder, device="cpu").enhance_stream(frames[:5], 7, **method)
    assert (np.stack(list(unfitted)) != result).any()
    # Still pictures go through the same network as in fitting, so that it can make the first frame too.
    still = enhancer.enhance(np.stack(frames[:1]), [0], **method)
    assert still.shape == (1, 36, 60, 3)
    with pytest.raises(UsageError, match="takes frames as they are"):
        Enhancer.from_pretrained(model, device="cpu", enlarge=1.5)


def test_a_video_file_is_enhanced_as_its_frames_are(folder, frames, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "in.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (60, 36))
    for frame in frames[:3]:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    settings = EnhanceSettings(model=str(folder), cutoff=0.03, steps=1, precision="float32")
    assert enhance_video(tmp_path / "in.mp4", tmp_path / "out.mp4", settings).enhanced == 3
    video = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    shapes = [read[1].shape for read in iter(video.read, (False, None)) if read[0]]
    assert shapes == [(36, 60, 3)] * 3


def test_adapters_carry_the_names_of_the_networks(folder, pictures, frames, tmp_path):
    adapters = fit(wan_fit(folder, pictures, lora=LoraSettings(rank=2)), tmp_path / "adapters")
    family = load_family(folder)
    names = set(load_file(adapters / "pytorch_lora_weights.safetensors"))
    parts = ["transformer"] if family.pipeline.transformer_2 is None else ["transformer", "transformer_2"]
    assert {name.split(".")[0] for name in names} == set(parts)
    assert f"{parts[-1]}.blocks.0.attn1.to_q.lora_A.weight" in names
    attached = load_family(adapters)
    fitted = list(Clips(attached, KEPT, SAMPLING, seed=0).enhance(frames[:2]))
    assert (np.stack(fitted) != list(Clips(family, KEPT, SAMPLING, seed=0).enhance(frames[:2]))).any()


def test_an_imported_model_uses_the_published_noise(folder, frames, tmp_path):
    shutil.copytree(folder, tmp_path / "imported")
    (tmp_path / "imported/phipd.json").write_text(json.dumps({"noise": "released", "cutoff_bins": 2.0}))
    video = [np.kron(frame, np.ones((2, 2, 1), np.uint8)) for frame in frames[:5]]
    results = []
    for model in (folder, tmp_path / "imported"):
        enhancer = Enhancer.from_pretrained(model, device="cpu")
        results.append(np.stack(list(enhancer.enhance_stream(video, 7, strength=1.0, steps=1))))
    assert enhancer.family.released
    assert (results[0] != results[1]).any()
