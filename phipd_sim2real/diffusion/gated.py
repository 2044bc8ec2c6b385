"""An enhanced log behind the gate: frames are accepted, done again at a higher cutoff, or left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.diffusion.images import thinned
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.drivelog import (
    CAMERA,
    TIMESTAMP,
    DriveLog,
    column,
    completed_segments,
    decode_jpeg,
    decode_labels,
    encode_jpeg,
    write_provenance,
)
from phipd_sim2real.drivelog.repaint import IMAGES, Row, repaint_segment
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.quality.gate import Gate, GateSettings, Verdict
from phipd_sim2real.settings import Settings, settings_hash

if TYPE_CHECKING:
    from phipd_sim2real.diffusion.enhancer import Enhancer

IMAGE = column(IMAGES, "image")
SEMANTICS = "camera_semantics"
TABLE = "frame_gate"


class _Identity(Settings):
    gate: GateSettings
    enhanced: str


def gate_log(
    source: DriveLog,
    enhanced: DriveLog,
    out: Path,
    enhance: EnhanceSettings,
    settings: GateSettings,
    progress: ProgressCallback | None = None,
) -> DriveLog:
    """Passes an enhanced log through the gate; segments that are done already are left as they are.

    The result has the accepted pictures, every label of its source, and `frame_gate`: for each frame whether it was
    accepted, at which cutoff, after how many tries, and what it failed.

    Args:
        source: the log before enhancement, with semantic labels.
        enhanced: that log, enhanced with `enhance`.
        out: folder of the result.
        enhance: settings of `enhanced`; each frame must be enhanced by itself (`temporal: frame`).
        settings: of the gate.
        progress: called as progress(label, frames done, frames in all).

    Raises:
        UsageError: the source has no semantic labels, its frames hang together, or `out` holds a log made otherwise.
        StageError: no frame passes.
    """
    _refuse(source, enhance, settings)
    identity = _Identity(gate=settings, enhanced=enhanced.provenance.config_hash)
    gate_hash = settings_hash(identity)
    done = completed_segments(out, gate_hash)
    if done >= set(source.segments):
        return _with_frames(DriveLog(out))
    gate = Gate.calibrated(_calibration_frames(source, settings.frames), settings)
    record = {"gate": settings.model_dump(mode="json"), "thresholds": gate.record()}
    base = enhanced.provenance
    made_from = (base.source_log or {}) | {"path": os.path.relpath(source.root, out)}
    changes = {"config": base.config | record, "config_hash": gate_hash, "source_log": made_from}
    write_provenance(out, base.model_copy(update=changes))
    work = _Gating(source, enhanced, out, gate_hash, gate, enhance, settings, progress)
    for segment in source.segments:
        if segment in done:
            work.skip(segment)
        else:
            work.segment(segment)
    return _with_frames(DriveLog(out))


def _with_frames(gated: DriveLog) -> DriveLog:
    """The log itself; refuses one that nothing passed into."""
    if not any(gated.completion(segment).rows.get(IMAGES, 0) for segment in gated.segments):
        raise StageError(
            f"The gate left out every frame ({gate_counts(gated)}); keep more of the phase, or give the gate higher "
            "cutoffs."
        )
    return gated


def gate_counts(log: DriveLog) -> dict[str, int]:
    """What became of the frames of a gated log: `accepted`, `accepted at 0.3`, `left out: flow_epe` ... -> frames."""
    counts: Counter[str] = Counter()
    for segment in log.segments:
        table = log.table(TABLE, segment)
        names = ("accepted", "cutoff", "tries", "failed")
        for accepted, cutoff, tries, failed in zip(*(table[column(TABLE, name)] for name in names), strict=True):
            if not accepted:
                counts[f"left out: {failed}"] += 1
            else:
                counts["accepted" if tries == 1 else f"accepted at cutoff {cutoff:g}"] += 1
    return dict(sorted(counts.items()))


def _refuse(source: DriveLog, enhance: EnhanceSettings, settings: GateSettings) -> None:
    if enhance.temporal != "frame" or enhance.correlation > 0:
        raise UsageError("The gate does frames again one by one; set temporal to frame and correlation to 0.")
    if enhance.control in ("depth", "semantics"):
        raise UsageError(
            f"The gate cannot do frames again from labels; enhance.control is {enhance.control}, remove it."
        )
    if not isinstance(enhance.cutoff, float) or enhance.cutoff >= min(settings.cutoffs, default=1.1):
        raise UsageError(
            f"The gate starts from cutoff {enhance.cutoff} and tries {list(settings.cutoffs)} next; give "
            "enhance.cutoff a number below those."
        )
    without = [segment for segment in source.segments if SEMANTICS not in source.components(segment)]
    if without:
        raise UsageError(
            f"{len(without)} segments of {source.root} have no {SEMANTICS} (such as {without[0]}), which the gate "
            "judges by; capture with images.labels: true."
        )


def _calibration_frames(log: DriveLog, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    keys = [
        (segment, int(time), int(camera))
        for segment in log.segments
        for time, camera in log.table(IMAGES, segment, columns=())[[TIMESTAMP, CAMERA]].itertuples(index=False)
    ]
    for segment, chosen in groupby(thinned(keys, count), key=itemgetter(0)):
        yield from _decoded(log, segment, [(time, camera) for _, time, camera in chosen])


def _decoded(log: DriveLog, segment: str, keys: Sequence[tuple[int, int]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures and labels of some frames of one segment, whose tables are read once and let go with its last frame."""
    pictures, labels = _encoded(log, IMAGES, segment), _encoded(log, SEMANTICS, segment)
    for key in keys:
        yield decode_jpeg(pictures[key]), decode_labels(labels[key])


def _encoded(log: DriveLog, component: str, segment: str) -> dict[tuple[int, int], bytes]:
    """Timestamp and camera -> encoded picture or labels."""
    name = column(component, "image")
    table = log.table(component, segment, [name])
    return {(int(t), int(c)): data for t, c, data in zip(table[TIMESTAMP], table[CAMERA], table[name], strict=True)}


@dataclass
class _Frame:
    """One frame on its way through the gate.

    Attributes:
        key: timestamp and camera.
        source: (H, W, 3) uint8 RGB before enhancement.
        semantics: (H, W) uint8 CARLA labels.
        picture: encoded, as enhanced last.
        cutoff: that it was enhanced with.
        tries: how often it was enhanced.
        verdict: on `picture`.
    """

    key: tuple[int, int]
    source: np.ndarray
    semantics: np.ndarray
    picture: bytes
    cutoff: float
    tries: int = 1
    verdict: Verdict = field(init=False)

    def judge(self, gate: Gate) -> None:
        """Takes the gate's verdict on the picture."""
        self.verdict = gate.judge(self.source, decode_jpeg(self.picture), self.semantics)

    def decision(self) -> dict[str, Any]:
        """Row of `frame_gate`."""
        verdict = self.verdict
        values = {"accepted": verdict.accepted, "cutoff": self.cutoff, "tries": self.tries}
        values |= {"failed": ", ".join(verdict.failed)} | verdict.values
        columns = {column(TABLE, name): value for name, value in values.items()}
        return {TIMESTAMP: self.key[0], CAMERA: self.key[1]} | columns


class _Gating:
    """The segments of one log, one after the other; a model is loaded when a frame first needs it."""

    def __init__(
        self,
        source: DriveLog,
        enhanced: DriveLog,
        out: Path,
        config_hash: str,
        gate: Gate,
        enhance: EnhanceSettings,
        settings: GateSettings,
        progress: ProgressCallback | None,
    ) -> None:
        self._source, self._enhanced, self._out, self._hash = source, enhanced, out, config_hash
        self._gate, self._enhance, self._settings = gate, enhance, settings
        self._progress, self._frames = progress, 0
        self._total = sum(source.completion(segment).rows.get(IMAGES, 0) for segment in source.segments)
        self._model: Enhancer | None = None

    def skip(self, segment: str) -> None:
        """Counts a segment that is done."""
        self._count(self._source.completion(segment).rows.get(IMAGES, 0))

    def segment(self, segment: str) -> None:
        """Writes one segment."""
        before, labels = _encoded(self._source, IMAGES, segment), _encoded(self._source, SEMANTICS, segment)
        decisions: list[dict[str, Any]] = []

        def repaint(camera: int, rows: list[Row]) -> Iterator[Row]:
            frames = [
                _Frame(key, decode_jpeg(before[key]), decode_labels(labels[key]), row[IMAGE], self._enhance.cutoff)
                for row in rows
                for key in [(row[TIMESTAMP], row[CAMERA])]
            ]
            self._try(segment, frames)
            self._count(len(frames))
            for row, frame in zip(rows, frames, strict=True):
                decisions.append(frame.decision())
                if frame.verdict.accepted:
                    yield row | {IMAGE: frame.picture}

        repaint_segment(self._enhanced, segment, self._out, self._hash, repaint, lambda: (TABLE, decisions))

    def _try(self, segment: str, frames: list[_Frame]) -> None:
        """Judges frames; those that fail are done again at one cutoff after the other, until they pass."""
        for frame in frames:
            frame.judge(self._gate)
        for cutoff in self._settings.cutoffs:
            rejected = [frame for frame in frames if not frame.verdict.accepted]
            for frame, picture in zip(rejected, self._again(segment, rejected, cutoff), strict=True):
                frame.picture, frame.cutoff, frame.tries = picture, cutoff, frame.tries + 1
                frame.judge(self._gate)

    def _again(self, segment: str, frames: list[_Frame], cutoff: float) -> list[bytes]:
        """Enhances the sources of frames at another cutoff; a frame's result does not depend on the others."""
        from phipd_sim2real.diffusion.enhancer import Enhancer, method

        if not frames:
            return []
        if self._model is None:
            self._model = Enhancer.from_settings(self._enhance)
        seeds = [frame_seed(self._enhance.seed, segment, *frame.key) for frame in frames]
        sources, how = np.stack([frame.source for frame in frames]), method(self._enhance) | {"cutoff": cutoff}
        return [encode_jpeg(image, self._enhance.jpeg_quality) for image in self._model.enhance(sources, seeds, **how)]

    def _count(self, frames: int) -> None:
        self._frames += frames
        if self._progress is not None:
            self._progress("gate", self._frames, self._total)
