"""What a training makes small, as one module: the planner's loss on a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from planner_eval.config import LossSettings
from planner_eval.losses import planning_loss
from planner_eval.planner import CameraPlanner


class PlanningObjective(nn.Module):
    """The loss of a planner on one batch."""

    def __init__(self, planner: CameraPlanner, settings: LossSettings) -> None:
        super().__init__()
        self.planner, self.settings = planner, settings

    def forward(
        self,
        images: Tensor,
        projection: Tensor,
        past: Tensor,
        intent: Tensor,
        use_history: Tensor,
        future: Tensor,
        future_valid: Tensor,
    ) -> Tensor:
        """The scalar loss; arguments as in `CameraPlanner.forward` and `planning_loss`."""
        layers, logits = self.planner(images, projection, past, intent, use_history)
        scale = self.planner.residual_scale
        with torch.autocast(images.device.type, enabled=False):
            return planning_loss(layers, logits, future, future_valid, scale, self.settings)


def as_graph(objective: PlanningObjective, batch: tuple[Tensor, ...]) -> PlanningObjective:
    """The objective as CUDA graphs, one forward and one backward, for batches of one size.

    A small planner is hundreds of kernels that take microseconds each: launched one by one they wait for the
    processor, which needs nine times as long as they do.

    Args:
        objective: in training mode, on a CUDA device.
        batch: inputs of the size of all batches, under the autocast of the training.

    Returns:
        The same objective, whose weights and running statistics are as they were.
    """
    state = {name: value.clone() for name, value in objective.state_dict().items()}
    graphed = torch.cuda.make_graphed_callables(objective, batch, allow_unused_input=True)
    objective.load_state_dict(state)
    return graphed
