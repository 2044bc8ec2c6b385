"""The objective: the loss of the planner's paths, and nothing in it that a CUDA graph cannot hold."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from planner_eval.losses import planning_loss
from planner_eval.objective import PlanningObjective, as_graph
from planner_eval.planner import CameraPlanner
from planner_eval.projection import inverse_3x3, resized
from planner_eval.trainer import Trainer

WAITS = {"lift_fresh", "_local_scalar_dense", "nonzero", "linalg_inv_ex", "_index_put_impl_", "index_put_"}
"""What copies from the host, asks a GPU for an answer, or differs from run to run."""


class Called(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket._qualified_op_name.removeprefix("aten::"))
        return function(*args, **(kwargs or {}))


@pytest.fixture
def trainer(day_log, tiny_settings, tmp_path):
    from planner_eval.train import _training_arrays

    arrays, _ = _training_arrays(day_log, tiny_settings, None)
    return Trainer([arrays], tiny_settings, tmp_path / "checkpoint.safetensors", "hash")


def test_is_the_loss_of_the_planners_paths(trainer):
    trainer.objective.eval()  # running statistics would move between the two
    inputs = trainer._tensors(*trainer._batch(0))
    layers, logits = trainer.planner(*inputs[:5])
    scale, settings = trainer.planner.residual_scale, trainer.settings.loss
    assert trainer.objective(*inputs) == planning_loss(layers, logits, *inputs[5:], scale, settings)


@pytest.mark.parametrize("vision", [True, False])
def test_never_waits_after_the_first_step(trainer, vision):
    inputs = trainer._tensors(*trainer._batch(0))
    planner = trainer.planner if vision else CameraPlanner(_blind(trainer)).to(trainer.accelerator.device)
    objective = PlanningObjective(planner, trainer.settings.loss)
    with trainer._autocast(cache_enabled=False):
        objective(*inputs).backward()
        with Called() as called:
            objective(*inputs).backward()
    assert "addmm" in called.names
    assert not called.names & WAITS


def _blind(trainer):
    return trainer.settings.planner.model_copy(update={"vision": False})


def test_inverse_and_bilinear_maps_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(50, 3, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(inverse_3x3(matrices), torch.linalg.inv(matrices))
    cells = torch.randn(2, 5, 7, 9, generator=generator)
    for shape in ((14, 18), (20, 24), (7, 9)):
        expected = torch.nn.functional.interpolate(cells, shape, mode="bilinear", align_corners=False)
        torch.testing.assert_close(resized(cells, shape), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_graph_learns_what_the_kernels_one_by_one_learn(trainer):
    plain = PlanningObjective(trainer.planner, trainer.settings.loss)
    batches = [trainer._tensors(*trainer._batch(step)) for step in range(3)]
    with trainer._autocast(cache_enabled=False):
        expected = [plain(*batch).item() for batch in batches]
        graph = as_graph(PlanningObjective(trainer.planner, trainer.settings.loss), batches[0])
        assert [graph(*batch).item() for batch in batches] == pytest.approx(expected, rel=1e-3)
