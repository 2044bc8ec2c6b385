"""A study cut down until the whole way takes seconds: four small logs, one network, a handful of training steps."""

from pathlib import Path

import yaml
from tiny_run import RIG

from phipd_sim2real.study_settings import StudySettings

MAPS = {"source": "Riverside01", "oracle": "Riverside01", "unlabelled": "Harbour01", "validation": "Valley01"}
MAPS |= {"target": "Meadow01"}


def tiny_study(folder: Path, **changes) -> StudySettings:
    """Settings of a tiny study; its rig lies in `folder`."""
    rig = folder / "rig.yaml"
    rig.write_text(RIG)
    logs = {
        name: {
            "name": name,
            "look": "source" if name == "source" else "target",
            "maps": [town],
            "segments": 2,
            "seconds": 12,
            "warm_up_s": 1,
            "seed": 1 if name in ("source", "oracle") else len(name),
            "traffic": {"cars": 2},
            "rig": str(rig),
            "images": {"period_s": 0.5, "window_s": [4.0, 6.0], "labels": name == "source"},
        }
        for name, town in MAPS.items()
    }
    settings = yaml.safe_load(ARMS) | {"capture": logs}
    settings["closed_loop"]["driving"]["rig"] = str(rig)
    return StudySettings.model_validate(settings | changes)


ARMS = """
name: tiny-study
unlabelled: unlabelled
arms:
  ego-only: {log: source, vision: false}
  source: {log: source}
  reinhard: {log: source, recolour: reinhard}
  photometric: {log: source, photometric: strong}
  sdedit: {log: source, enhance: {cutoff: 0.0, strength: 0.5, steps: 1}}
  phi-pd-0.1: {log: source, enhance: {cutoff: 0.1, strength: 1.0, steps: 1}}
  phi-pd-0.3: {log: source, enhance: {cutoff: 0.3, strength: 1.0, steps: 1}}
  phi-pd-recoloured: {log: source, enhance: {cutoff: 0.3, strength: 1.0, steps: 1}, recolour: histogram}
  phi-pd-drawn-twice:
    log: source
    enhance: {cutoff: 0.3, strength: 1.0, steps: 1, seed: 5}
    recolour: histogram
    draws: 2
  gated:
    log: source
    enhance: {cutoff: 0.1, strength: 0.3, steps: 1}
    gate: {frames: 10, cutoffs: [1.0], contrast: 0.1, noise_levels: 60, displaced_px: 30}
  augmented: {log: source, enhance: {cutoff: 0.3, strength: 1.0, steps: 1}, photometric: strong}
  target: {log: oracle}
choices: {phi-pd: [phi-pd-0.1, phi-pd-0.3, phi-pd-recoloured, phi-pd-drawn-twice]}
treated_choice: phi-pd
ceiling: target
rivals: [reinhard, photometric, sdedit, gated, augmented]
validation: validation
evaluation: {log: target}
closed_loop:
  driving: {maps: [Meadow01], routes: 1, length_m: 20, seconds: 4, look: target}
driven: [ego-only]
measured_frames: 10
seeds: [0, 1]
train:
  steps: 4
  batch_size: 4
  planner: {image_width: 96, image_height: 64}
evaluate: {baseline: source, resamples: 200}
"""
