"""The released routine, against outputs measured from it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from phipd_sim2real.phase import released_structured_noise


@pytest.fixture(scope="module")
def golden(shared_data: Path):
    return np.load(shared_data / "golden/released_noise.npz")


@pytest.mark.parametrize("case", range(10))
def test_reproduces_the_released_outputs(golden, case):
    name = golden["case_set"][case]
    radius = golden["cutoff_radius"][case]
    result = released_structured_noise(
        torch.from_numpy(golden[f"image_{name}"]),
        torch.from_numpy(golden[f"noise_{name}"]),
        cutoff_radius=None if np.isnan(radius) else float(radius),
        transition_width=float(golden["transition_width"][case]),
        pad_factor=float(golden["pad_factor"][case]),
    )
    np.testing.assert_allclose(result.numpy(), golden[f"output_{case:02d}"], atol=1e-4, rtol=0)


def test_keeps_shape_and_dtype_of_odd_sizes():
    source = torch.rand(1, 2, 21, 33, dtype=torch.float16)
    result = released_structured_noise(source, torch.randn_like(source), cutoff_radius=5)
    assert result.shape == source.shape
    assert result.dtype == torch.float16


def test_refuses_images_without_a_batch():
    with pytest.raises(ValueError, match=r"\(B, C, H, W\)"):
        released_structured_noise(torch.rand(3, 8, 8), torch.rand(3, 8, 8))
