"""Kept phase per band as settings: written out, of a file, or a shipped one by the name of its task."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from phipd_sim2real.settings import Settings

SHIPPED = Path(__file__).resolve().parents[2] / "configs/profiles"


class LearnedFrom(Settings):
    """What a profile was learned from."""

    domain: str
    """Of the drive log, such as `carla`."""

    config: dict[str, Any]
    """What the log was captured with: maps, look, seed, rig, and so on."""

    config_hash: str
    """Of the log."""

    frames: int
    """Pictures that went into it: those that show what the task looks at."""

    picture: tuple[int, int]
    """Width and height in pixels: frequencies are cycles per pixel of such a picture."""


class ProfileSettings(Settings):
    """A share of kept phase per band of spatial frequency."""

    edges: tuple[Annotated[float, Field(ge=0)], ...]
    """Ascending edges of the bands, cycles per pixel; one more than there are shares."""

    shares: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """0 is Gaussian noise, 1 the source's phase."""

    task: str | None = None
    """What it was learned for, of `phipd profile`."""

    learned_from: LearnedFrom | None = None
    """Where it comes from, of `phipd profile`."""

    @model_validator(mode="after")
    def _bands(self) -> ProfileSettings:
        ascending = all(low < high for low, high in pairwise(self.edges))
        if not ascending or len(self.edges) != len(self.shares) + 1 or not self.shares:
            raise ValueError(f"edges={self.edges} must ascend, and be one more than shares={self.shares}")
        return self


def read_profile(given: Any) -> Any:
    """The values of a profile that is given by the name of a shipped one or of a YAML file; others as they are.

    Raises:
        ValueError: there is no such profile, or its file holds no mapping.
    """
    if not isinstance(given, str):
        return given
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}
    path = Path(given) if given.endswith((".yaml", ".yml")) else shipped.get(given)
    if path is None or not path.is_file():
        raise ValueError(f"there is no such profile; give {', '.join(shipped)}, a .yaml file, or edges and shares")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"it holds a {type(values).__name__}; a profile is a mapping with edges and shares")
    return values
