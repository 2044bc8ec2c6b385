"""What an enhancement did, and what it records about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from phipd_sim2real.diffusion.models import controlnet_sha256, model_folder, resolved, weights_sha256
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.drivelog import Provenance, collect_versions, current_commit
from phipd_sim2real.settings import Settings, settings_hash


class EnhanceSummary(Settings):
    """Counts of one call; work found complete counts in `frames` alone."""

    kind: Literal["drive log", "folder", "video"]

    frames: int
    """Frames of the result."""

    enhanced: int
    """Frames enhanced by this call; the others were there already."""

    def sentence(self) -> str:
        """One sentence for people."""
        return f"The enhanced {self.kind} has {self.frames} frames, {self.enhanced} of them made just now."


class _Identity(Settings):
    settings: EnhanceSettings
    weights: str
    source: str


def enhanced_provenance(
    settings: EnhanceSettings, source_identity: str, source: Provenance | None, segments: tuple[str, ...] = ()
) -> Provenance:
    """Provenance of an enhanced log, folder or video; what was left to the model, its noise too, is filled in.

    Args:
        settings: how it is enhanced.
        source_identity: a hash of what it is made from.
        source: provenance of that, where it has one.
        segments: of the finished log.
    """
    settings = resolved(settings)
    model = model_folder(settings.model).name
    checkpoints = {model: weights_sha256(settings.model)} | _controlnet(settings)
    nowhere = {"model": "", "controlnet": settings.controlnet and "."}  # the weights count, not where they lie
    weights = ",".join(checkpoints.values())
    identity = _Identity(settings=settings.model_copy(update=nowhere), weights=weights, source=source_identity)
    return Provenance(
        domain="enhanced",
        source_domain=source.domain if source is not None else "images",
        config=settings.model_dump(mode="json") | {"model": model, "controlnet": _name(settings.controlnet)},
        config_hash=settings_hash(identity),
        seed=settings.seed,
        planned_segments=segments,
        versions=collect_versions("phipd-sim2real", "torch", "diffusers", "numpy"),
        commit=current_commit(),
        checkpoints=checkpoints,
        source_log=source.model_dump(mode="json") if source is not None else None,
    )


def _controlnet(settings: EnhanceSettings) -> dict[str, str]:
    if settings.controlnet is None:
        return {}
    return {f"controlnet {_name(settings.controlnet)}": controlnet_sha256(settings.controlnet)}


def _name(path: str | None) -> str | None:
    return None if path is None else Path(path).name
