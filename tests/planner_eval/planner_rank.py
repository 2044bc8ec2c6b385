"""One process of a parallel training, as `accelerate launch` starts it: says what it saw and where it ended.

Arguments: the log, the settings as JSON, the planner's folder, the folder of the reports.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from phipd_sim2real.drivelog import DriveLog
from planner_eval.config import TrainSettings
from planner_eval.train import train_planner
from planner_eval.trainer import Trainer


def main() -> None:
    """Trains, with an ear to the batches and the weights."""
    log, settings, out, reports = sys.argv[1:]
    seen, weights = [], []
    batch_of, learn = Trainer._batch, Trainer._learn

    def listened(self: Trainer, step: int) -> tuple:
        batch, use_history = batch_of(self, step)
        seen.extend(hashlib.sha256(future.tobytes()).hexdigest() for future in np.abs(batch.future))
        return batch, use_history

    def watched(self: Trainer, *arguments: object) -> float:
        loss = learn(self, *arguments)
        flat = torch.cat([parameter.detach().flatten() for parameter in self.planner.parameters()])
        weights.append(hashlib.sha256(flat.numpy().tobytes()).hexdigest())
        return loss

    Trainer._batch, Trainer._learn = listened, watched
    summary = train_planner(DriveLog(Path(log)), TrainSettings.model_validate_json(settings), Path(out))
    report = {"seen": seen, "weights": weights, "loss": summary.loss}
    (Path(reports) / f"rank_{os.environ['RANK']}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
