"""One process of a parallel fit, started by `accelerate launch`: says what it learnt from and where it ended.

Arguments: the settings as JSON, the model's folder, the folder of the reports.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import torch

from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.fit import fit
from phipd_sim2real.diffusion.fit_batches import Batches
from phipd_sim2real.diffusion.fit_settings import FitSettings


def digest(tensors) -> str:
    """SHA-256 of tensors' bytes."""
    return hashlib.sha256(b"".join(tensor.detach().numpy().tobytes() for tensor in tensors)).hexdigest()


def main() -> None:
    """Fits, with an ear to the batches and the weights."""
    torch.set_num_threads(1)
    settings, out, reports = FitSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    seen, states, weights = [], [], []
    of_step, begin = Batches.of_step, TrainingState.begin

    def listened(self: Batches, step: int) -> list:
        batches = of_step(self, step)
        seen.append(digest([batch.x_t for batch in batches]))
        return batches

    def kept(*arguments) -> TrainingState:
        states.append(begin(*arguments))
        return states[0]

    Batches.of_step, TrainingState.begin = listened, kept
    fit(settings, out, lambda label, step, steps: weights.append(digest(states[0].weights.values())))
    report = {"seen": seen, "weights": weights, "losses": states[0].losses}
    (reports / f"rank_{os.environ['RANK']}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
