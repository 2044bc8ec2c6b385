"""What a study must not have seen: the drives that it chooses and tests on, by name and by map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phipd_sim2real.capture.settings import short_map_name
from phipd_sim2real.diffusion.fit_settings import FitSettings
from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.drivelog.provenance import FILE_NAME
from phipd_sim2real.errors import UsageError
from phipd_sim2real.preparation import Step
from phipd_sim2real.run_settings import RunSettings


@dataclass(frozen=True)
class HeldOut:
    """Drives that are held out.

    Attributes:
        what: they are, for sentences.
        maps: on which they are driven; none where they are recorded, as Waymo's are.
        segments: names of the drives; none where they are still to be captured.
        folder: of their log, where it is given.
    """

    what: str
    maps: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    folder: Path | None = None

    @classmethod
    def of(cls, what: str, folder: Path, steps: Sequence[Step]) -> HeldOut:
        """The drives of a log that is given, or that one of the steps makes.

        Raises:
            UsageError: it is neither there nor made.
        """
        made = [captures[folder] for step in steps if folder in (captures := step.captures())]
        if made:
            return cls(what, folder=folder).with_maps(made[0].maps)
        log = DriveLog(folder)
        return cls(what, maps_of(log), frozenset(log.segments), folder)

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

    def require_apart_from_step(self, step: Step) -> None:
        """Refuses what is captured on these maps beside these drives, and a model that is fitted to such a log.

        Raises:
            UsageError: it is.
        """
        for folder, capture in step.captures().items():
            shared = self.maps & {short_map_name(name) for name in capture.maps}
            self._require_none(str(folder), shared if folder != self.folder else (), "maps")
        for folder in _fitted_to(step.settings()):
            if (folder / FILE_NAME).is_file():
                self.require_apart(DriveLog(folder))

    def _require_none(self, given: str, shared: Iterable[str], kind: str) -> None:
        if common := sorted(shared):
            more = f" and {len(common) - 3} more" if len(common) > 3 else ""
            raise UsageError(
                f"{given} and {self.what} share {', '.join(common[:3])}{more}; test and choose on other {kind}."
            )


def _fitted_to(settings: RunSettings | FitSettings) -> list[Path]:
    """Where the pictures lie that a model is fitted to, or validated on."""
    if isinstance(settings, RunSettings):
        return []
    validation = settings.validation
    seen = (settings.data, *((validation.data, validation.sources) if validation is not None else ()))
    return [folder for folder in seen if folder is not None]


def maps_of(log: DriveLog) -> frozenset[str]:
    """Maps that a log says it was captured on."""
    captured = log.provenance.lineage[-1]
    return frozenset(short_map_name(name) for name in captured.config.get("maps", ()))


def perception_segments_at(source: str) -> frozenset[str]:
    """Names of the drives of Perception data in place.

    Raises:
        UsageError: nothing is there, or a file whose drives nobody can tell.
    """
    from phipd_sim2real.waymo.import_sources import perception_sources

    _, units = perception_sources(source)
    return frozenset(segment.name for unit in units for segment in unit.open())
