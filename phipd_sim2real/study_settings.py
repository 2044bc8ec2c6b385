"""What a study is made of: a run with validation drives, choices among arms, a ceiling, rivals and a closed loop."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from phipd_sim2real.preparation import Step
from phipd_sim2real.run_settings import RunSettings
from planner_eval.closed_loop.settings import ClosedLoopSettings


class StudySettings(RunSettings):
    """A study, from preparation to report. Its arms have equal recipes, steps, seeds and drives."""

    prepare: tuple[Step, ...] = ()
    """What is captured and fitted before: unlabelled target pictures, models that do not ship."""

    unlabelled: str
    """Name of a log of target pictures whose labels nobody looks at: for colour transfer, and to measure looks by."""

    validation: str
    """Name of the log on which arms are chosen; it is neither trained on nor tested on."""

    choices: dict[str, tuple[str, ...]] = Field(min_length=1)
    """What is varied -> its arms. The one that succeeds most on the validation drives stands for all of them."""

    choice_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)
    """Training seeds by which is chosen. Arms that are not chosen are trained with no others."""

    treated_choice: str
    """The choice whose winner the headline sets against the baseline."""

    ceiling: str
    """Arm trained on the target domain."""

    rivals: tuple[str, ...] = Field(min_length=1)
    """Arms, or choices, that the treated arm is set against."""

    closed_loop: ClosedLoopSettings | None = None
    """How floors, baseline, treated arm, ceiling and `driven` are put at the wheel; None leaves it out."""

    driven: tuple[str, ...] = ()
    """Further arms, or choices, that drive in closed loop."""

    measured_frames: int = Field(default=160, ge=10)
    """Frames of each arm whose structure and look are measured, evenly spread."""

    @model_validator(mode="after")
    def _study_names_exist(self) -> Self:
        arms, logs = set(self.arms), {*self.capture, *self.logs}
        if self.validation not in logs:
            raise ValueError(f"validation is {self.validation!r}; the logs of this study are {', '.join(sorted(logs))}")
        if self.evaluation is None or self.validation in {arm.log for arm in self.arms.values()} | {
            self.evaluation.log,
            self.unlabelled,
        }:
            raise ValueError(f"validation is {self.validation!r}, which is trained or tested on; give a log of its own")
        for name, members in self.choices.items():
            if name in arms:
                raise ValueError(f"the choice {name!r} has the name of an arm; name it otherwise")
            if len(members) < 1 or not set(members) <= arms:
                raise ValueError(f"choices.{name} is {list(members)}; the arms are {', '.join(sorted(arms))}")
        if not set(self.choice_seeds) <= set(self.seeds):
            raise ValueError(f"choice_seeds are {list(self.choice_seeds)}; take some of seeds, {list(self.seeds)}")
        if self.treated_choice not in self.choices:
            raise ValueError(f"treated_choice is {self.treated_choice!r}; the choices are {', '.join(self.choices)}")
        if self.evaluate.baseline in self.choices[self.treated_choice]:
            raise ValueError(f"evaluate.baseline is {self.evaluate.baseline!r}, one of the treated; take another arm")
        if own := {self.treated_choice, *self.choices[self.treated_choice]} & set(self.rivals):
            raise ValueError(f"rivals names {', '.join(sorted(own))}, the treated itself; name others")
        if self.closed_loop is not None and self.closed_loop.baseline != self.evaluate.baseline:
            raise ValueError(
                f"closed_loop.baseline is {self.closed_loop.baseline!r} and evaluate.baseline "
                f"{self.evaluate.baseline!r}; make them equal"
            )
        if self.ceiling not in arms:
            raise ValueError(f"ceiling is {self.ceiling!r}; the arms are {', '.join(sorted(arms))}")
        if unknown := {*self.rivals, *self.driven} - arms - set(self.choices):
            raise ValueError(f"rivals or driven name {sorted(unknown)}; give arms or choices of this study")
        return self

    @model_validator(mode="after")
    def _tests_on_other_maps(self) -> Self:
        """Maps of captured logs; `Study.log` compares those of logs that are given as folders."""
        tested = self.evaluation.log if self.evaluation is not None else None
        learnt = {self.unlabelled, *(arm.log for arm in self.arms.values())}
        for name in sorted({self.validation, *learnt} - {tested}):
            for other in (tested, self.validation) if name in learnt else (tested,):
                if shared := self._maps(name) & self._maps(other):
                    raise ValueError(
                        f"{', '.join(sorted(shared))} is driven in {name} and in {other}; test and choose on other maps"
                    )
            if self.closed_loop is not None and (shared := self._maps(name) & set(self.closed_loop.driving.maps)):
                raise ValueError(f"closed_loop drives on {', '.join(sorted(shared))}, as {name} does; take other maps")
        return self

    def _maps(self, log: str | None) -> set[str]:
        return set(self.capture[log].maps) if log in self.capture else set()
