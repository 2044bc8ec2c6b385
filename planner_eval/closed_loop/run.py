"""Drives every planner on every route; a drive that is recorded is not driven again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.drivelog import decode_jpeg
from phipd_sim2real.driving import Control, Server, drive_server
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.files import atomic_path, write_json
from phipd_sim2real.progress import ProgressCallback
from planner_eval.closed_loop.comparison import compare_drives
from planner_eval.closed_loop.follower import PlanFollower
from planner_eval.closed_loop.record import DriveRecord
from planner_eval.closed_loop.result import SCORES, ClosedLoopResult
from planner_eval.closed_loop.scoring import Bounds, score_drive
from planner_eval.closed_loop.settings import ClosedLoopSettings
from planner_eval.plans import Planner

if TYPE_CHECKING:
    from phipd_sim2real.driving import Drive, Moment
    from planner_eval.evaluate import Arm

INPUTS = "inputs.json"
"""What the drives of a folder depend on."""


def drive_closed_loop(
    arms: Sequence[Arm],
    settings: ClosedLoopSettings,
    out: Path,
    progress: ProgressCallback,
    identities: dict[str, str] | None = None,
) -> ClosedLoopResult:
    """Drives all planners of all arms on the same routes and compares them.

    Args:
        arms: at least the baseline arm; a planner without a training seed counts as seed 0.
        settings: world, routes, controller, bootstrap.
        out: folder; `drives/ARM/seed-N/ROUTE.json` marks a finished drive, a clip lies beside one that did not succeed.
        progress: called as progress(label, done, total).
        identities: name -> what else the drives depend on, such as the hash of a planner's weights; a folder where
            that name stands for another one is refused.

    Raises:
        UsageError: no baseline, a folder of other settings or planners, or a server that lacks what is asked.
        StageError: a planner gave a plan that is not finite, or the car hit something before a planner took over.
    """
    names = [arm.name for arm in arms]
    if settings.baseline not in names or len(set(names)) < len(names):
        raise UsageError(
            f"The arms are {names}; each needs a name of its own and one must be {settings.baseline!r}, "
            "the baseline. Set closed_loop.baseline to one of them."
        )
    _require_same_inputs(out, settings, identities or {})
    todo = [
        (arm.name, seed, planner, number)
        for arm in arms
        for seed, planner in zip(arm.seeds or range(len(arm.planners)), arm.planners, strict=True)
        for number in range(settings.driving.routes)
    ]
    recorded = all(_path(out, name, seed, number).is_file() for name, seed, _, number in todo)
    if recorded and (out / SCORES).is_file() and [arm.name for arm in ClosedLoopResult.load(out).arms] == names:
        return ClosedLoopResult.load(out)
    drives = []
    with drive_server(settings.driving) as server:
        for done, (name, seed, planner, number) in enumerate(todo):
            progress("closed-loop drives", done, len(todo))
            drives.append(_recorded(server, settings, planner, name, seed, number, out))
        progress("closed-loop drives", len(todo), len(todo))
    result = compare_drives([(arm.name, arm.description) for arm in arms], drives, server.info.domain, settings)
    result.save(out)
    return result


def _path(out: Path, arm: str, seed: int, number: int) -> Path:
    return out / "drives" / arm / f"seed-{seed}" / f"{number:03d}.json"


def _recorded(
    server: Server, settings: ClosedLoopSettings, planner: Planner, arm: str, seed: int, number: int, out: Path
) -> DriveRecord:
    path = _path(out, arm, seed, number)
    if path.is_file():
        return DriveRecord(**json.loads(path.read_text()))
    with server.drive(number, planner.cameras) as drive:
        record, clip = _driven(drive, planner, settings, arm, seed)
    if clip and settings.clips and not record.success:
        _write_clip(path.with_suffix(".mp4"), clip, 1 / settings.driving.plan_period_s)
    write_json(path, asdict(record))
    return record


def _driven(
    drive: Drive, planner: Planner, settings: ClosedLoopSettings, arm: str, seed: int
) -> tuple[DriveRecord, list[bytes]]:
    """Drives one route; returns its record and the pictures of its planning moments, JPEG."""
    delta_s = settings.driving.delta_s
    bounds = Bounds(drive.route.length_m, settings.driving.seconds, settings.off_route_m)
    follower = PlanFollower(settings.follower, drive.wheelbase_m, drive.max_steer_rad)
    moment = drive.step(Control(0.0, 1.0, 0.0))
    moments: list[Moment] = []
    clip: list[bytes] = []
    ended = False
    while not ended:
        if drive.is_planning_moment or not drive.is_warm:
            plan = _plan(planner, drive, clip) if drive.is_warm else drive.reference()
            follower.take(plan, moment.pose_vehicle_in_world, moment.time_s)
        control = Control(*follower.control(moment.pose_vehicle_in_world, moment.speed, moment.time_s, delta_s))
        moment = drive.step(control)
        if moment.time_s > delta_s / 2:
            if not moments and any(frame < moment.frame for frame, _ in drive.collisions.seen()):
                raise StageError(
                    f"The car hit something on {drive.route.name} before the planner took over; give "
                    "closed_loop.driving another seed or fewer cars."
                )
            moments.append(moment)
            ended = bounds.ending(moment, bool(drive.collisions.seen())) is not None
    drive.settle()
    record = score_drive(arm, seed, drive.route.name, moments, drive.collisions.seen(), drive.started_at_m, bounds)
    return record, clip


def _plan(planner: Planner, drive: Drive, clip: list[bytes]) -> NDArray[np.float64]:
    """(20, 2) of this moment; adds the picture of the planner's first camera to the clip."""
    sample = drive.sample()
    if planner.cameras:
        clip.append(drive.jpegs[planner.cameras[0]])
    plan = planner.plan([sample]).most_probable()[0]
    if not np.isfinite(plan).all():
        raise StageError(f"The planner gave a plan that is not finite on {drive.route.name} at {drive.now.time_s:g} s.")
    return plan


def _write_clip(path: Path, jpegs: Sequence[bytes], fps: float) -> None:
    """Writes the pictures as MP4, as OpenCV encodes it wherever it is installed."""
    pictures = [decode_jpeg(jpeg) for jpeg in jpegs]
    height, width = pictures[0].shape[:2]
    with atomic_path(path) as temporary:
        named = temporary.with_suffix(".mp4")
        video = cv2.VideoWriter(str(named), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
        for picture in pictures:
            video.write(picture[..., ::-1])
        video.release()
        named.replace(temporary)


def _require_same_inputs(out: Path, settings: ClosedLoopSettings, identities: dict[str, str]) -> None:
    """Arms may be added to a folder, but neither the settings nor what a drive depends on may change."""
    path, described = out / INPUTS, settings.model_dump(mode="json")
    known = json.loads(path.read_text()) if path.is_file() else {"settings": described, "identities": {}}
    changed = any(known["identities"].get(name, identity) != identity for name, identity in identities.items())
    if changed or known["settings"] != described:
        raise UsageError(f"{out} holds drives of other planners or settings; remove it or give another folder.")
    if not path.is_file() or not identities.keys() <= known["identities"].keys():
        write_json(path, {"settings": described, "identities": known["identities"] | identities})
