"""Labels that the method itself looks at: which of them settings need, and those of one camera of a log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from phipd_sim2real.diffusion.label_pictures import depth_picture, rigidity_map, semantics_picture
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column, decode_depth, decode_labels
from phipd_sim2real.errors import UsageError

DEPTH, SEMANTICS = "camera_depth", "camera_semantics"

Labels = Callable[[str, int], np.ndarray]
"""(component, number of a frame) -> its (H, W) labels: metres, or CARLA's classes."""


def needed_labels(settings: EnhanceSettings) -> tuple[str, ...]:
    """Components of a drive log that settings look at, sorted."""
    needed = {DEPTH} if settings.control == "depth" else set()
    if settings.control == "semantics" or (settings.rigidity is not None and settings.rigidity.classes):
        needed.add(SEMANTICS)
    return tuple(sorted(needed))


def refuse_labels(settings: EnhanceSettings, kind: str) -> None:
    """Refuses settings that look at labels, for a source that has none.

    Raises:
        UsageError: with the kind of source.
    """
    if needed := needed_labels(settings):
        raise UsageError(
            f"These settings look at {' and '.join(needed)}, which {kind} does not have; enhance a drive log that was "
            "captured with images.labels, or take control=canny and rigidity without classes."
        )


def refuse_missing_labels(log: DriveLog, settings: EnhanceSettings) -> None:
    """Refuses a log of which a segment lacks a component that settings look at.

    Raises:
        UsageError: with segment and component.
    """
    for segment in log.segments:
        if missing := [name for name in needed_labels(settings) if name not in log.components(segment)]:
            raise UsageError(
                f"Segment {segment} of {log.root} has no {' and '.join(missing)}, which these settings look at; "
                "capture with images.labels, or take control=canny and rigidity without classes."
            )


class RecordedLabels:
    """Labels of one camera in one segment; they stay encoded until they are asked for."""

    def __init__(
        self, log: DriveLog, segment: str, camera: int, times: Sequence[int], components: Sequence[str]
    ) -> None:
        """Reads the tables.

        Args:
            log: a log with these components.
            segment: of it.
            camera: of the segment.
            times: timestamps of the frames, in their order.
            components: which labels.

        Raises:
            UsageError: a frame has no label.
        """
        self._times = times
        self._at = {component: _by_time(log, component, segment, camera) for component in components}
        for component, rows in self._at.items():
            if missing := [time for time in times if time not in rows]:
                raise UsageError(
                    f"{len(missing)} frames of camera {camera} in segment {segment} have no {component}, such as that "
                    f"at {missing[0]} µs; capture the segment again."
                )

    def __call__(self, component: str, number: int) -> np.ndarray:
        """(H, W) labels of a frame: float32 metres of `camera_depth`, else uint8."""
        encoded = self._at[component][self._times[number]]
        return decode_depth(*encoded) if component == DEPTH else decode_labels(*encoded)


def control_pictures_of(labels: Labels, settings: EnhanceSettings, numbers: Sequence[int]) -> np.ndarray:
    """What the ControlNet sees of labels, (N, H, W, 3) uint8."""
    if settings.control == "depth":
        return np.stack([depth_picture(labels(DEPTH, number)) for number in numbers])
    return np.stack([semantics_picture(labels(SEMANTICS, number)) for number in numbers])


def rigidity_maps(
    labels: Labels | None, settings: EnhanceSettings, size: tuple[int, int], numbers: Sequence[int]
) -> np.ndarray:
    """Rigidity of frames of one size (H, W), (N, H, W) float32; without classes no labels are asked for.

    Raises:
        UsageError: labels are not of the frames' size.
    """
    rigidity = settings.rigidity
    semantics = [labels(SEMANTICS, number) if rigidity.classes else None for number in numbers]
    for given in semantics:
        if given is not None and given.shape != size:
            raise UsageError(f"Labels of shape {given.shape} do not fit frames of {size}; capture the log again.")
    how = (size, rigidity.elsewhere, rigidity.classes, rigidity.widened_px)
    return np.stack([rigidity_map(given, *how) for given in semantics])


def _by_time(log: DriveLog, component: str, segment: str, camera: int) -> dict[int, tuple]:
    """Time -> encoded labels, and for depth metres per unit."""
    fields = ("image", "metres_per_unit") if component == DEPTH else ("image",)
    names = [column(component, field) for field in fields]
    table = log.table(component, segment, names)
    table = table[table[CAMERA] == camera]
    return {int(time): values for time, *values in zip(table[TIMESTAMP], *(table[name] for name in names), strict=True)}
