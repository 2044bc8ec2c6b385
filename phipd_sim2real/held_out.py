"""What a study must not have seen: the drives that it chooses and tests on, by name and by map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from phipd_sim2real.capture.settings import short_map_name
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.drivelog.provenance import FILE_NAME
from phipd_sim2real.errors import UsageError
from phipd_sim2real.run_settings import RunSettings


@dataclass(frozen=True)
class HeldOut:
    """Drives that are held out.

    Attributes:
        what: they are, for sentences.
        maps: on which they are driven; none where they are recorded, as Waymo's are.
        segments: names of the drives; none where they are still to be captured.
    """

    what: str
    maps: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()

    @classmethod
    def of(cls, what: str, log: DriveLog) -> HeldOut:
        """The drives of a log."""
        return cls(what, maps_of(log), frozenset(log.segments))

    def with_maps(self, names: Iterable[str]) -> HeldOut:
        """These drives, and all that is driven on further maps."""
        return replace(self, maps=self.maps | {short_map_name(name) for name in names})

    def require_apart(self, log: DriveLog) -> None:
        """Refuses a log that has a drive or a map in common with these.

        Raises:
            UsageError: it has.
        """
        self._require_none(str(log.root), self.maps & maps_of(log), "maps")
        self._require_none(str(log.root), self.segments & set(log.segments), "drives")

    def require_apart_from_step(self, step: RunSettings | FitSettings) -> None:
        """Refuses what is captured on these maps, and a model that is fitted or validated on such a log.

        Raises:
            UsageError: it is.
        """
        if isinstance(step, RunSettings):
            for name, capture in step.capture.items():
                shared = self.maps & {short_map_name(map_name) for map_name in capture.maps}
                self._require_none(f"the capture {name!r}", shared, "maps")
            return
        validation = step.validation
        seen = (step.data, *((validation.data, validation.sources) if validation is not None else ()))
        for folder in filter(None, seen):
            if (folder / FILE_NAME).is_file():
                self.require_apart(DriveLog(folder))

    def _require_none(self, given: str, shared: Iterable[str], kind: str) -> None:
        if common := sorted(shared):
            more = f" and {len(common) - 3} more" if len(common) > 3 else ""
            raise UsageError(
                f"{given} and {self.what} share {', '.join(common[:3])}{more}; test and choose on other {kind}."
            )


def maps_of(log: DriveLog) -> frozenset[str]:
    """Maps that a log says it was captured on."""
    captured = log.provenance.lineage[-1]
    return frozenset(short_map_name(name) for name in captured.config.get("maps", ()))


def perception_segments_at(source: str) -> frozenset[str]:
    """Names of the drives of Perception data in place, told from the first record of each file."""
    from phipd_sim2real.waymo.import_sources import perception_sources

    _, units = perception_sources(Path(source))
    return frozenset(unit.segment for unit in units if unit.segment is not None)
