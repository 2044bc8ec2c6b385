"""Inspecting a drive log or an enhanced folder: one HTML page and the same numbers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import write_json, write_text
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.feature_network import FeatureNetwork
from phipd_sim2real.quality.folder_frames import FolderFrames
from phipd_sim2real.quality.frame_measures import FRAME_MEASURES, FrameMeasure, lpips_measure
from phipd_sim2real.quality.frames import FrameSet, evenly
from phipd_sim2real.quality.inspection import Inspection
from phipd_sim2real.quality.lpips import Lpips
from phipd_sim2real.quality.motion_survey import survey_motion
from phipd_sim2real.quality.page import render_page
from phipd_sim2real.quality.realism import Realism
from phipd_sim2real.quality.reference import Reference
from phipd_sim2real.quality.survey import survey

PAGE, NUMBERS = "inspect.html", "inspect.json"
WORST_CASES, TYPICAL_CASES = 10, 10


@dataclass(frozen=True)
class InspectOptions:
    """What an inspection measures beyond what needs no other file.

    Attributes:
        reference: drive log or folder of pictures that the look is compared with.
        features: feature network for KID and FID against the reference, a local path.
        lpips_weights: state dict of AlexNet or VGG-16 for LPIPS to the source, a local path.
        max_frames: frames that are measured, spread evenly over all.
        max_transitions: pairs of consecutive pictures whose motion is measured, likewise.
    """

    reference: Path | None = None
    features: Path | None = None
    lpips_weights: Path | None = None
    max_frames: int = 400
    max_transitions: int = 60


def inspect(
    path: Path,
    out: Path | None = None,
    progress: ProgressCallback | None = None,
    source: Path | None = None,
    options: InspectOptions | None = None,
) -> Path:
    """Writes a page that shows frames before and after, with measures of structure, labels, motion and realism.

    Args:
        path: an enhanced folder, an enhanced drive log, or a captured drive log (no before: labels and motion only).
        out: folder for `inspect.html` and `inspect.json`; None takes `path / "inspect"`.
        progress: called as progress(label, done, total).
        source: what `path` was made from; None finds it by the provenance.
        options: what else is measured, and on how many frames.

    Returns:
        The page.

    Raises:
        UsageError: `path` is neither a drive log nor an enhanced folder, its source is absent, or a file that an
            option names is; all before any work.
    """
    options = options or InspectOptions()
    frames = _open(path, source)
    measures, realism = _measures(options), _realism(options)
    names = frames.names()
    result = survey(frames, evenly(names, options.max_frames), progress, measures, realism)
    count, transitions = frames.transitions(options.max_transitions)
    found = Inspection(
        frames=frames,
        total=len(names),
        survey=result,
        definitions={measure.name: measure.definition for measure in measures},
        motion=survey_motion(transitions, count, frames.has_before, progress),
        realism=realism.rows() if realism else [],
        realism_record=realism.record() if realism else {},
        checks=frames.checks(),
    )
    worst = result.worst_first()[:WORST_CASES] if frames.has_before else []
    typical = evenly([name for name in result.names if name not in worst], TYPICAL_CASES)
    out = out or path / "inspect"
    write_json(out / NUMBERS, found.numbers())
    write_text(out / PAGE, render_page(found, worst, typical, progress))
    return out / PAGE


def _measures(options: InspectOptions) -> Sequence[FrameMeasure]:
    if options.lpips_weights is None:
        return FRAME_MEASURES
    return (*FRAME_MEASURES, lpips_measure(Lpips.from_path(options.lpips_weights)))


def _realism(options: InspectOptions) -> Realism | None:
    if options.reference is None:
        if options.features is not None:
            raise UsageError("--features compares with a reference set; name one with --reference.")
        return None
    network = FeatureNetwork.from_path(options.features) if options.features is not None else None
    return Realism(Reference.from_path(options.reference), network)


def _open(path: Path, source: Path | None) -> FrameSet:
    if not path.is_dir():
        raise UsageError(f"There is no folder {path}; give a drive log or an enhanced folder.")
    if (path / "manifest.json").is_file():
        return FolderFrames(path, source)
    if (path / "_complete").is_dir():
        from phipd_sim2real.quality.log_frames import open_log

        return open_log(path, source)
    if (path / "provenance.json").is_file():
        raise UsageError(f"{path} was begun and nothing in it is complete; run the command that made it to its end.")
    raise UsageError(
        f"{path} is neither a drive log nor an enhanced folder; give what `phipd capture` or `phipd enhance` wrote."
    )
