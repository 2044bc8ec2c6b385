"""Enhancing frames: any size, one result per frame and seed, whatever the batch."""

import numpy as np
import pytest
import torch
from conftest import street

from phipd_sim2real import Cutoff, Enhancer
from phipd_sim2real.diffusion import EnhanceSettings, PhasePipeline, frame_seed
from phipd_sim2real.diffusion.enhancer import method
from phipd_sim2real.diffusion.fit_settings import ModelSettings
from phipd_sim2real.errors import UsageError


@pytest.fixture(scope="module", params=["bf16", "float32"])
def enhancer(request, tiny_model):
    return Enhancer.from_pretrained(tiny_model, device="cpu", precision=request.param)


@pytest.fixture(scope="module")
def images():
    return np.stack([street(index) for index in range(5)])


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_frame_does_not_depend_on_its_batch(enhancer, images, strength):
    seeds = [frame_seed(0, index) for index in range(5)]
    together = enhancer.enhance(images, seeds, cutoff=0.2, strength=strength, steps=2)
    for size in (1, 2, 3):
        parts = [
            enhancer.enhance(images[i : i + size], seeds[i : i + size], cutoff=0.2, strength=strength, steps=2)
            for i in range(0, 5, size)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), together)


def test_the_seed_decides(enhancer, images):
    first, again, other = (enhancer.enhance(images[:1], [seed], steps=1) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (61, 90)])
def test_any_size_comes_back_as_it_went_in(enhancer, size):
    image = street(0, *size)[None]
    result = enhancer.enhance(image, [0], steps=1)
    assert result.shape == image.shape
    assert result.dtype == np.uint8


def test_little_noise_changes_little(enhancer, images):
    result = enhancer.enhance(images, range(5), cutoff=None, strength=0.01, steps=1)
    assert np.abs(result.astype(int) - images).mean() < 4


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (61, 90)])
def test_white_noise_can_be_given_in_place_of_the_seeds(enhancer, size):
    images = np.stack([street(index, *size) for index in range(3)])
    shape = enhancer.noise_shape(*size)
    white = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (4, 5, 6)])
    given = enhancer.enhance(images, [0, 0, 0], steps=1, white=white)
    np.testing.assert_array_equal(given, enhancer.enhance(images, [4, 5, 6], steps=1))
    top, left, factor = enhancer.grid.noise_window()
    assert top + size[0] / factor <= shape[1]
    assert left + size[1] / factor <= shape[2]


def test_the_window_says_where_a_pixel_lies(tiny_model):
    """One cell of large noise shows up at the pixel that the window gives it."""
    enhancer = Enhancer.from_pretrained(tiny_model, device="cpu", precision="float32")
    seen = []
    enhancer.family.generate = lambda x_0, eps, *_: seen.append(eps) or x_0
    white = torch.zeros(1, *enhancer.noise_shape(40, 50))
    top, left, _ = enhancer.grid.noise_window()
    white[..., top + 3, left + 5] = 1
    enhancer.enhance(np.zeros((1, 40, 50, 3), np.uint8), [0], cutoff=0.0, white=white)
    border = enhancer.family.border
    assert seen[0][0, 0].argmax() == (border + 3) * seen[0].shape[-1] + border + 5


def test_all_kinds_of_cutoff_are_taken(enhancer, images):
    as_number = enhancer.enhance(images[:1], [0], cutoff=0.2, steps=1)
    as_region = enhancer.enhance(images[:1], [0], cutoff=Cutoff.isotropic(0.2), steps=1)
    np.testing.assert_array_equal(as_number, as_region)
    assert (enhancer.enhance(images[:1], [0], cutoff=None, steps=1) != as_number).any()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"images": np.zeros((1, 20, 64, 3), np.uint8)}, "too small"),
        ({"images": np.zeros((1, 64, 64, 3), np.float32)}, "uint8"),
        ({"images": np.zeros((64, 64, 3), np.uint8)}, "uint8"),
        ({"seeds": [1, 2]}, "seeds"),
        ({"strength": 0.0}, "strength"),
        ({"steps": 0}, "steps"),
        ({"white": torch.zeros(1, 3, 64, 64)}, "White noise"),
    ],
)
def test_refuses_what_cannot_be_enhanced(tiny_model, bad, sentence):
    enhancer = Enhancer.from_pretrained(tiny_model)
    with pytest.raises(UsageError, match=sentence):
        enhancer.enhance(**({"images": np.zeros((1, 64, 64, 3), np.uint8), "seeds": [1]} | bad))


def test_unknown_models_are_named_with_the_known_ones():
    with pytest.raises(UsageError, match="no model 'street-huge'"):
        Enhancer.from_pretrained("street-huge")


def test_noise_is_white_up_to_the_border_and_takes_no_seam(tiny_model):
    family = Enhancer.from_pretrained(tiny_model, device="cpu").family
    grain = 0.05 * torch.randn(3, 48, 64, generator=torch.Generator().manual_seed(1))
    ramp = torch.linspace(-1, 1, 64) + grain  # its two sides meet in a jump
    white = torch.randn(200, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    noise = family.noise(ramp.expand(200, 3, 48, 64), [Cutoff.isotropic(0.2)] * 200, white)
    assert noise.var() == pytest.approx(1, abs=0.02)
    assert noise[..., :2].var() == pytest.approx(1, abs=0.1)
    locked = noise.mean(0)
    assert (locked[..., 0] - locked[..., -1]).square().mean() < 1.5 * locked.diff().square().mean()


def test_weights_depend_on_the_seed_alone():
    settings = ModelSettings(channels=(16, 32))
    first, again, other = (PhasePipeline.build(settings, 0.5, seed).unet.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_shipped_model_keeps_edges_and_changes_the_look():
    image = street(0, 144, 240)
    enhanced = Enhancer.from_pretrained("street-small").enhance(image[None], [0])[0]
    sky = enhanced[8:40].reshape(-1, 3).mean(0)
    assert sky[2] - sky[0] < 25  # a grey sky, where the source's is 60 levels bluer than red
    above, below = (enhanced[rows].mean() for rows in (slice(60, 70), slice(74, 84)))
    assert above - below > 20  # the horizon stays where it is


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (61, 90)])
def test_enlarged_frames_come_back_at_their_own_size(tiny_model, size):
    finer = Enhancer.from_pretrained(tiny_model, device="cpu", precision="float32", enlarge=1.5)
    image = street(0, *size)[None]
    assert finer.enhance(image, [0], steps=1).shape == image.shape
    shape, plain = finer.noise_shape(*size), finer.family.noise_shape(*size)
    assert shape[1] > plain[1]
    assert shape[2] > plain[2]
    little = finer.enhance(image, [0], cutoff=None, strength=0.01, steps=1)
    assert np.abs(little.astype(int) - image).mean() < 4


def test_a_cutoff_is_of_the_frames_pixels_however_they_are_enlarged(tiny_model):
    finer = Enhancer.from_pretrained(tiny_model, device="cpu", precision="float32", enlarge=2)
    assert finer.preservation(0.3, 48, 64) == Cutoff.isotropic(0.15)
    assert finer.preservation(None, 48, 64) is None


def test_all_phase_above_a_free_band_is_kept_of_the_largest_frames_too(tiny_model):
    settings = EnhanceSettings(model=str(tiny_model), cutoff=None, free_below=0.01, enlarge=4)
    finer = Enhancer.from_settings(settings, device="cpu")
    mask = finer.preservation(method(settings)["cutoff"], 64, 64).mask(256, 256)
    assert mask[0, 0] == 0
    assert (mask[:, 4:] == 1).all()


def test_maps_and_windows_of_enlarged_frames_lie_where_the_frames_do(tiny_model):
    plain, finer = (Enhancer.from_pretrained(tiny_model, device="cpu", enlarge=size) for size in (1, 2))
    assert finer.grid.noise_window()[2] == plain.grid.noise_window()[2] / 2
    maps = torch.zeros(1, 40, 48)
    maps[:, 10:20, 6:30] = 1
    cells = finer.grid.means(maps)[0]
    top, left, pixels = finer.grid.noise_window()
    first, last = int(10 / pixels), int(20 / pixels)
    assert (cells[top + first + 1 : top + last - 1, left + int(15 / pixels)] == 1).all()
    assert cells[top + first - 2, left + int(15 / pixels)] == cells[top + last + 1, left + int(15 / pixels)] == 0
    assert cells.sum() * pixels**2 == pytest.approx(10 * 24, rel=0.05)
