"""Attributes of blueprints: texts on the wire, with a type, choices and bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from phipd_sim2real.errors import UsageError


class AttributeType(IntEnum):
    """Types of blueprint attributes on the wire."""

    BOOL, INT, FLOAT, STRING, COLOUR = 1, 2, 3, 4, 5


_TRUTHS = ("true", "false", "1", "0")


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint; values are texts whatever the type.

    Attributes:
        name: CARLA's.
        type: how the text is read.
        value: default.
        recommended: values on offer.
        modifiable: whether a client may set it.
        restricted: whether only recommended values are taken.
        bounds: of numbers, both ends allowed.
    """

    name: str
    type: AttributeType
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = False
    restricted: bool = False
    bounds: tuple[float, float] | None = None

    def wire(self) -> list[Any]:
        """In the message's field order."""
        return [self.name, int(self.type), self.value, list(self.recommended), self.modifiable, self.restricted]

    def checked(self, value: str) -> str:
        """A value that the type, the choices and the bounds allow.

        Raises:
            UsageError: they do not.
        """
        if self.type is AttributeType.COLOUR:
            parts = value.split(",")
            if len(parts) != 3 or not all(part.isdigit() and int(part) < 256 for part in parts):
                raise UsageError(f"{self.name}={value!r} is not three numbers 0…255 such as 120,124,128")
        elif self.type is AttributeType.BOOL and value.lower() not in _TRUTHS:
            raise UsageError(f"{self.name}={value!r} is neither True nor False")
        elif self.type in (AttributeType.INT, AttributeType.FLOAT):
            return self._checked_number(value)
        elif self.restricted and value not in self.recommended:
            raise UsageError(f"{self.name}={value!r} is not one of {', '.join(self.recommended)}")
        return value

    def _checked_number(self, value: str) -> str:
        try:
            number = int(value) if self.type is AttributeType.INT else float(value)
        except ValueError as error:
            raise UsageError(f"{self.name}={value!r} is not a number") from error
        if self.restricted and number not in [float(choice) for choice in self.recommended]:
            raise UsageError(f"{self.name}={value} is not supported; leave it at {', '.join(self.recommended)}")
        if self.bounds is not None and not self.bounds[0] <= number <= self.bounds[1]:
            raise UsageError(f"{self.name}={value} is outside {self.bounds[0]:g}…{self.bounds[1]:g}")
        if not math.isfinite(number):
            raise UsageError(f"{self.name}={value} is not finite")
        return value


def truth(value: str) -> bool:
    """Reads a BOOL attribute."""
    return value.lower() in ("true", "1")
