"""A tiny model of the real classes, fitted to a few drawn pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phipd_sim2real.diffusion.fit_settings import FitSettings, ModelSettings


def street(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A drawn street: sky, ground, a road edge, texture; (height, width, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), (150, 180, 210), np.uint8)
    image[height // 2 :] = (90, 90, 85)
    edge = int(rng.integers(width))
    cv2.line(image, (width // 2, height // 2), (edge, height), (230, 230, 220), 2)
    noisy = image + rng.normal(0, 6, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Layers this small are slower on many threads, and very slow on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of ten pictures, two of them in a sub-folder and of another size."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "wide").mkdir()
    for index in range(8):
        cv2.imwrite(str(folder / f"street_{index}.jpg"), street(index))
    for index in range(2):
        cv2.imwrite(str(folder / f"wide/street_{index}.png"), street(index, 40, 90))
    return folder


@pytest.fixture(scope="session")
def captioned(tmp_path_factory) -> Path:
    """A folder of three pictures with captions beside them."""
    folder = tmp_path_factory.mktemp("captioned")
    for index in range(3):
        cv2.imwrite(str(folder / f"street_{index}.jpg"), street(index))
        (folder / f"street_{index}.txt").write_text(f"street {index}\n")
    return folder


@pytest.fixture(scope="session")
def tiny_fit(pictures) -> FitSettings:
    """Settings of a fit that takes about a second."""
    return FitSettings(
        data=pictures,
        model=ModelSettings(channels=(16, 32)),
        steps=6,
        crops=({"height": 32, "width": 32, "count": 2}, {"height": 40, "width": 48, "count": 1}),
        free_below=0.03,
        warmup_steps=2,
        checkpoint_every=2,
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_fit, tmp_path_factory) -> Path:
    """The fitted model's folder."""
    from phipd_sim2real.diffusion.fit import fit

    return fit(tiny_fit, tmp_path_factory.mktemp("model"))
