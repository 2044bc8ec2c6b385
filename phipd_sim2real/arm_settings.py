"""One training condition of a run: which log, how its pictures are made, and what the planner sees of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.quality.gate import GateSettings
from phipd_sim2real.settings import Settings
from planner_eval.config import TrainSettings


class ArmSettings(Settings):
    """One training condition: which log, and how its pictures are made."""

    log: str = "source"
    """Name of a log in `capture` or `logs`."""

    enhance: EnhanceSettings | None = None
    """How its pictures are enhanced; without it they are taken as captured."""

    gate: GateSettings | None = Field(default=None, exclude_if=lambda value: value is None)
    """Which enhanced pictures may be trained on; the others are done again at a higher cutoff or left out."""

    recolour: Literal["reinhard", "histogram"] | None = Field(default=None, exclude_if=lambda value: value is None)
    """Colour transfer from the run's `unlabelled` target pictures: alone the cheap rival of an enhancement, with
    one the last step after it."""

    draws: int = Field(default=1, ge=1, exclude_if=lambda value: value == 1)
    """How often its pictures are made, each time with noise and colours of their own (seeds + 0, 1, ...). Every epoch
    of a training learns from the next draw, so the planner sees as many pictures, but none of them so often."""

    photometric: Literal["strong"] | None = Field(default=None, exclude_if=lambda value: value is None)
    """Strong photometric augmentation in training: the rival that needs no target pictures."""

    vision: bool = True
    """False trains a planner that sees its past path and no picture: the floor that pictures have to beat."""

    @model_validator(mode="after")
    def _treats_what_it_can(self) -> Self:
        if self.gate is not None and self.enhance is None:
            raise ValueError("gate needs enhance: it judges enhanced pictures")
        if self.draws > 1 and (not self.is_treated or self.gate is not None):
            raise ValueError(
                f"draws is {self.draws}; only pictures that are enhanced or recoloured, and not gated, can be drawn "
                "several times: captured ones are what they are, and a gate leaves out others of each draw"
            )
        return self

    def recipe(self, train: TrainSettings, seed: int) -> TrainSettings:
        """The run's recipe for this arm and one seed."""
        changes: dict[str, object] = {"seed": seed}
        if self.photometric is not None:
            changes["augment"] = train.augment.model_copy(update={"photometric": self.photometric})
        if not self.vision:
            changes |= {"planner": train.planner.model_copy(update={"vision": False}), "history_dropout": 0.0}
        return train.model_copy(update=changes)

    @property
    def is_treated(self) -> bool:
        """Whether its pictures are not those captured."""
        return self.enhance is not None or self.recolour is not None

    @property
    def description(self) -> str:
        """One line for tables."""
        if not self.vision:
            return f"floor: trained on the past paths of the {self.log} log, sees no picture"
        augmented = ", strong photometric augmentation" if self.photometric else ""
        return f"trained on the {self.log} log {self._treatment}{augmented}"

    @property
    def _treatment(self) -> str:
        steps = []
        if self.enhance is not None:
            model, finer = Path(self.enhance.model).name, self.enhance.enlarge
            steps.append(f"enhanced by {model}, {_kept(self.enhance)}, strength {self.enhance.strength:g}")
            if finer != 1:
                steps.append(f"painted at {finer:g} times the size")
        if self.gate is not None:
            steps.append("gated")
        if self.recolour is not None:
            steps.append(f"recoloured ({self.recolour})")
        if self.draws > 1:
            steps.append(f"{self.draws} draws of each picture")
        return ", ".join(steps) or "as captured"


def _kept(enhance: EnhanceSettings) -> str:
    """Which phase of the source is kept, in words."""
    if enhance.rigidity is not None:
        return "rigidity by place"
    if enhance.profile is not None:
        return f"a profile of {len(enhance.profile.shares)} bands"
    if enhance.cutoff == 0:
        return "no phase kept (SDEdit)"
    named = {"auto": "the model's own cutoff", None: "all phase kept"}
    along = ", noise along the motion" if enhance.temporal == "warp" else ""
    return named.get(enhance.cutoff, f"cutoff {enhance.cutoff} cycles/px") + along
