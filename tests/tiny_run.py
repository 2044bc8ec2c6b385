"""The demo's configuration, cut down until the whole way takes seconds."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "configs/demo.yaml"

RIG = """\
vehicle: vehicle.tesla.model3
rear_axle_behind_origin_m: 1.44
cameras:
  - {camera: 1, width: 96, height: 64, fov_degrees: 90, position_in_vehicle: [2.0, 0.0, 1.6]}
"""


def tiny_overrides(folder: Path) -> list[str]:
    """Overrides of configs/demo.yaml: two short drives per log, a small camera, a few training steps."""
    rig = folder / "rig.yaml"
    rig.write_text(RIG)
    log = [f"rig={rig}", "segments=2", "seconds=12", "traffic.cars=2", "images.window_s=[4.0, 6.5]", "warm_up_s=1"]
    return [
        *(f"capture.{name}.{value}" for name in ("source", "target") for value in log),
        "arms.phi-pd.enhance.steps=2",
        "train.steps=4",
        "seeds=[0]",
        "train.batch_size=4",
        "train.planner.image_width=96",
        "train.planner.image_height=64",
        "evaluate.resamples=200",
    ]
