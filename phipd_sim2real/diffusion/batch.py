"""Enhancing whatever a path names: a drive log, a folder of images or a video."""

from __future__ import annotations

from pathlib import Path

from phipd_sim2real.diffusion.folders import enhance_folder
from phipd_sim2real.diffusion.images import is_drive_log
from phipd_sim2real.diffusion.logs import enhance_log
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.diffusion.summary import EnhanceSummary
from phipd_sim2real.diffusion.video import SUFFIXES as VIDEO_SUFFIXES
from phipd_sim2real.diffusion.video import enhance_video
from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError
from phipd_sim2real.progress import ProgressCallback


def enhance_path(
    source: Path, out: Path, settings: EnhanceSettings, progress: ProgressCallback | None = None
) -> EnhanceSummary:
    """Enhances a drive log, a folder of images or a video; interrupted work goes on where it stopped.

    Args:
        source: what to enhance.
        out: a folder, or for a video the new file.
        settings: model and method.
        progress: called as progress(label, done, total).

    Raises:
        UsageError: the source or the model cannot be used, or `out` holds something else.
    """
    if source.is_dir():
        if is_drive_log(source):
            return enhance_log(DriveLog(source), out, settings, progress)
        return enhance_folder(source, out, settings, progress)
    if source.is_file() and source.suffix.lower() in VIDEO_SUFFIXES:
        return enhance_video(source, out, settings, progress)
    raise UsageError(
        f"{source} cannot be enhanced; give a drive log, a folder of images or a video "
        f"({', '.join(sorted(VIDEO_SUFFIXES))})."
    )
