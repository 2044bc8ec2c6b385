"""Heads of traffic lights: their shape, and which of their lamps are lit at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phipd_sim2real.simulator.furniture import disc, plate, upright
from phipd_sim2real.simulator.triangles import (
    Label,
    Material,
    Triangles,
    concatenate,
    prism,
    rectangle,
    regular_polygon,
    triangles,
)

HEAD_CENTRE, HEAD_HALF_SIZE = (0.12, 0.0, 2.9), (0.15, 0.2, 0.57)
"""Of a head's housing, metres in the frame of its foot, which looks along x."""
LAMP_HEIGHTS, LAMP_RADIUS = (3.26, 2.9, 2.54), 0.15
"""Of the red, the yellow and the green lamp, metres above the foot, and their radius."""
_BACKPLATE = (0.74, 1.5)
_OFF = 3

_LENSES = np.array([(0.07, 0.008, 0.008), (0.06, 0.035, 0.006), (0.008, 0.045, 0.025)], np.float32)
"""Albedo of the dark lenses."""
_LIT = np.array([(3.2, 0.04, 0.03), (3.2, 0.75, 0.02), (0.03, 2.2, 0.4)], np.float32)
"""Radiance of the lit lamps by day."""
_DIMMED = 0.08
"""Share of it that they keep at night, when the camera opens up."""


def traffic_light(base: np.ndarray, yaw: float, number: int) -> Triangles:
    """A head with a backplate and three lamps on a 3.4 m post.

    Args:
        base: (3,) metres, its foot.
        yaw: where it looks, radians.
        number: tells it from the other heads of its map, from 1; it is the head's instance. The lamps carry it as
            their frame as well, with 0 for red, 1 for yellow and 2 for green.
    """
    long, wide, high = HEAD_HALF_SIZE
    middle = HEAD_CENTRE[2]
    post = prism(regular_polygon(6, 0.07), -0.5, 3.4)
    housing = prism(rectangle(2 * long, 2 * wide) + HEAD_CENTRE[:2], middle - high, middle + high)
    black = np.concatenate([housing, plate(0.06, middle, *_BACKPLATE)])
    parts = [
        triangles(upright(yaw, base, post), Material.METAL, Label.POLES, variate=(0.2, 0.2, 0.2)),
        triangles(
            upright(yaw, base, black),
            Material.PAINTWORK,
            Label.TRAFFIC_LIGHT,
            variate=(0.015, 0.015, 0.015),
            instance=number,
        ),
    ]
    for lamp, height in enumerate(LAMP_HEIGHTS):
        lens = upright(yaw, base, disc(HEAD_CENTRE[0] + long + 0.01, height, LAMP_RADIUS, 12))
        frame = (float(number), float(lamp), 0.0)
        parts.append(triangles(lens, Material.SIGNAL_LAMP, Label.TRAFFIC_LIGHT, frame=frame, instance=number))
    return concatenate(parts)


class LightShown(NamedTuple):
    """A traffic light of one moment: OpenDRIVE's id of its signal, its actor's id, and CARLA's TrafficLightState."""

    signal_id: str
    actor_id: int
    state: int


@dataclass(frozen=True)
class LightTable:
    """What the heads of a map show, by their numbers; a head that nobody speaks of is off and part of the background.

    Attributes:
        states: (n + 1,) CARLA's TrafficLightState.
        instances: (n + 1,) uint16 actor ids modulo 65536, 0 for the background.
    """

    states: np.ndarray
    instances: np.ndarray

    @classmethod
    def of(cls, numbers: Mapping[str, int], lights: Sequence[LightShown]) -> LightTable:
        """The table of one moment; `numbers` gives the head of every signal of the map."""
        count = max(numbers.values(), default=0) + 1
        table = cls(np.full(count, _OFF, np.uint8), np.zeros(count, np.uint16))
        for light in lights:
            table.states[numbers[light.signal_id]] = light.state
            table.instances[numbers[light.signal_id]] = light.actor_id & 0xFFFF
        return table

    def lit(self, frame: np.ndarray) -> np.ndarray:
        """(N,) bool: whether the lamps at N points are on, told by their (3, N) frames."""
        return self.states[frame[0].astype(np.intp)] == frame[1]


def lens_albedo(frame: np.ndarray) -> np.ndarray:
    """(3, N) float32: the tinted glass of lamps, told by their (3, N) frames."""
    return _LENSES[frame[1].astype(np.intp)].T


def lamp_radiance(frame: np.ndarray, table: LightTable, night: float) -> np.ndarray:
    """(3, N) float32 light that lamps send out by themselves; `night` is 0 by day and 1 at night."""
    strength = table.lit(frame) * np.float32(1 - (1 - _DIMMED) * night)
    return _LIT[frame[1].astype(np.intp)].T * strength
