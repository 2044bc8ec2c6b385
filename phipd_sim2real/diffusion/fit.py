"""Fitting a model to unpaired pictures: each is its own source and target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from diffusers.utils.logging import disable_progress_bar

from phipd_sim2real.diffusion import lora
from phipd_sim2real.diffusion.checkpoint import TrainingState
from phipd_sim2real.diffusion.export import export, finished
from phipd_sim2real.diffusion.families import Family, load_family
from phipd_sim2real.diffusion.families.pixel import PixelFamily
from phipd_sim2real.diffusion.fit_batches import Batches
from phipd_sim2real.diffusion.fit_data import FitData
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.diffusion.models import model_folder, weights_sha256
from phipd_sim2real.diffusion.pipeline import PhasePipeline
from phipd_sim2real.diffusion.precision import autocast, uses_bf16
from phipd_sim2real.diffusion.sheets import Sheets
from phipd_sim2real.diffusion.trainer import Trainer
from phipd_sim2real.diffusion.validation import Validation, best, write_rows
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json, write_text
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.settings import settings_hash

TRAINING = Path("training")


def fit(settings: FitSettings, out: Path, progress: ProgressCallback | None = None) -> Path:
    """Fits a model and writes it as a folder; an interrupted fit goes on from its last checkpoint.

    Every random choice of a step derives from (seed, step, process), so that an interrupted fit ends with the
    same bytes as an uninterrupted one on the same machine with as many threads. Under `accelerate launch` it trains on
    all devices.

    Args:
        settings: what to fit and how.
        out: folder of the model; `training/` in it holds the checkpoint, the loss log, validation and samples.
        progress: called as progress(label, step, steps).

    Returns:
        The model's folder, for `Enhancer.from_pretrained`.

    Raises:
        UsageError: the data or the initial model is not there or does not suit, or `out` holds a fit with other
            settings.
    """
    data = FitData.load(settings)
    identity = fit_identity(settings, data)
    if finished(out, identity, settings.steps):
        return out
    # Of a network with experts for several noise levels, a batch may reach some alone.
    accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    family = _initial(settings, accelerator.device)
    state = TrainingState.begin(family.denoiser, settings.learning_rate)
    checkpoint = out / TRAINING / "checkpoint.safetensors"
    if checkpoint.exists():
        state.restore(checkpoint, identity)
        if state.step > settings.steps:
            raise UsageError(f"{out} holds a fit of {state.step} steps; ask for as many or more, not {settings.steps}.")
    batches = Batches(settings, data.training, family, accelerator.process_index)
    trainer = Trainer(settings, batches, accelerator, accelerator.prepare_model(family.denoiser), state)
    observer = _Observer.of(settings, data, family, out / TRAINING)
    for step in trainer.run():
        if progress is not None:
            progress("fit", step, settings.steps)
        if accelerator.is_main_process:
            observer.after(step, state)
            if step % settings.checkpoint_every == 0 or step == settings.steps:
                state.save(checkpoint, identity)
                _write_logs(out / TRAINING, trainer)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        state.choose()
        export(out, family, state, settings, data, identity)
    return out


def fit_identity(settings: FitSettings, data: FitData) -> str:
    """Names what a checkpoint may be continued with: all but where things lie, what is shown, how long it goes on."""
    same = data.named_by_content(settings).model_copy(update={"checkpoint_every": 1, "samples": None})
    if settings.initial is not None:
        same = same.model_copy(update={"initial": weights_sha256(settings.initial)})
    if not settings.decay_steps:
        same = same.model_copy(update={"steps": 1})
    return settings_hash(same)


def _initial(settings: FitSettings, device: torch.device) -> Family:
    """The model before the first step, with what is to be trained asking for gradients."""
    if settings.initial is None:
        pipeline = PhasePipeline.build(settings.model, settings.highest_cutoff, settings.seed)
        family = PixelFamily(pipeline.to(device))
    else:
        disable_progress_bar()  # of loading files
        frozen_half = settings.lora is not None and uses_bf16(device, settings.precision)
        dtype = torch.bfloat16 if frozen_half else torch.float32
        family = load_family(model_folder(settings.initial), device, dtype)
    try:
        settings.check_sizes(family.block)
        settings.check_frames(family.time_factor)
    except ValueError as error:
        raise UsageError(f"The settings do not suit {settings.initial}: {error}.") from error
    family.denoiser.requires_grad_(True)
    if settings.lora is not None:
        lora.add(family, settings.lora, settings.seed)
    if settings.gradient_checkpointing:
        family.denoiser.enable_gradient_checkpointing()
    return family


@dataclass(frozen=True)
class _Observer:
    """Looks at the averaged weights now and then."""

    settings: FitSettings
    family: Family
    folder: Path
    validation: Validation | None
    sheets: Sheets | None

    @classmethod
    def of(cls, settings: FitSettings, data: FitData, family: Family, folder: Path) -> _Observer:
        validation = sheets = None
        if settings.validation is not None:
            validation = Validation(settings.validation, data.held_out, data.sources, settings.prompt)
        if settings.samples is not None:
            sheets = Sheets(
                settings.samples, data.shown.spread(settings.samples.pictures, settings.samples.frames), settings.prompt
            )
        return cls(settings, family, folder, validation, sheets)

    def after(self, step: int, state: TrainingState) -> None:
        """Measures and draws where it is time to."""
        measure = self.validation is not None and step % self.validation.settings.every == 0
        draw = self.sheets is not None and step % self.sheets.settings.every == 0
        if not (measure or draw):
            return
        state.swap()
        with autocast(self.family.device, self.settings.precision):
            if measure:
                state.validation.extend(self.validation.measured(self.family, step))
                write_rows(self.folder / "validation.csv", state.validation)
            if draw:
                self.sheets.write(self.family, self.folder / "samples", step)
        state.swap()
        if (
            measure
            and (name := self.validation.settings.choose) != "last"
            and best(state.validation, name).step == step
        ):
            state.keep()


def _write_logs(folder: Path, trainer: Trainer) -> None:
    """The loss, averaged between checkpoints, and the speed of this run."""
    losses, every = np.array(trainer.state.losses), trainer.settings.checkpoint_every
    ends = [*range(every, len(losses), every), len(losses)]
    means = [losses[max(0, end - every) : end].mean() for end in ends]
    lines = ["step,loss", *(f"{end},{mean:.6f}" for end, mean in zip(ends, means, strict=True))]
    write_text(folder / "loss.csv", "\n".join(lines) + "\n")
    write_json(folder / "speed.json", {"seconds_per_step": round(trainer.seconds_per_step, 3)})
