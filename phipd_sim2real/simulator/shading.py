"""Colours of surfaces: what light, reflections, lamps and haze make of their albedo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.simulator.albedo import ALBEDO, windows
from phipd_sim2real.simulator.lamps import Lamp, irradiance
from phipd_sim2real.simulator.lane_marks import Mark
from phipd_sim2real.simulator.look import Look
from phipd_sim2real.simulator.signal_heads import LightTable, lamp_radiance
from phipd_sim2real.simulator.sky import Light, sky_radiance
from phipd_sim2real.simulator.surface import Surface, dot
from phipd_sim2real.simulator.textures import fractal_tile, mixed, raised, sample_tile, smoothstep
from phipd_sim2real.simulator.triangles import Material


@dataclass(frozen=True)
class Shader:
    """Shades surfaces of one scene in one look and light.

    Attributes:
        look, light: of the picture.
        marks: the scene's table of lane marks.
        signals: what the traffic lights show.
        lamps: artificial lights that may matter.
        hidden: tells whether something stands between points and a lamp, as in `lamps.irradiance`.
    """

    look: Look
    light: Light
    marks: list[Mark | None]
    signals: LightTable
    lamps: Sequence[Lamp] = ()
    hidden: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None

    def radiance(self, surface: Surface) -> np.ndarray:
        """(3, N) float32 linear radiance of points that share one material, haze included."""
        material, light, normal = surface.material, self.light, surface.normal
        albedo = ALBEDO[material](self, surface)
        facing = np.clip(light.sun_direction @ normal, 0, 1)
        if material in (Material.CROWN, Material.HEDGE):
            facing = 0.25 + 0.75 * facing
        up = 0.5 + 0.5 * normal[2]
        # The sky itself is partly hidden where the sun's wide disc is: contact shadows under overcast.
        open_sky = 1 - 0.55 * light.spread * (1 - surface.visibility)
        ambient = mixed(light.bounce[:, None], light.sky[:, None], up) * open_sky
        colour = albedo * (light.sun[:, None] * (facing * surface.visibility) + ambient)
        if self.lamps and self.hidden is not None:
            colour += albedo * irradiance(self.lamps, surface, self.hidden)
        if material in _GLOSS:
            colour = self._reflect(colour, surface, *_GLOSS[material])
        elif material is Material.ROAD and light.wet > 0:
            colour = self._wet(colour, surface)
        if material in _GLOWING:
            colour += surface.params[0] * self._glow(material, albedo)
        elif material is Material.SIGNAL_LAMP:
            colour += lamp_radiance(surface.frame, self.signals, light.night)
        elif material is Material.WALL and light.night > 0:
            colour += self._lit_windows(surface)
        return self._haze(colour, surface)

    def _glow(self, material: Material, albedo: np.ndarray) -> np.ndarray:
        """Colour of what shines by itself; street lamps do so at night alone."""
        return (_LAMP_HEAD * np.float32(self.light.night))[:, None] if material is Material.METAL else albedo

    def _lit_windows(self, surface: Surface) -> np.ndarray:
        """(3, N) light from rooms: one window in three, warm."""
        glazed, _, cell = windows(self, surface, *surface.params)
        share = glazed * smoothstep(0.6, 0.7, cell) * (0.35 + 0.65 * surface.variate[0])
        return share * np.float32(0.5 * self.light.night) * _ROOM[:, None]

    def _wet(self, colour: np.ndarray, surface: Surface) -> np.ndarray:
        """A wet road mirrors the sky; its puddles, which lie in the hollows of coarse noise, do so like water."""
        wet = self.light.wet
        if not self.light.puddles:
            return self._reflect(colour, surface, 0.02, 0.75 * wet)
        x, y, _ = surface.point
        hollow = sample_tile(fractal_tile(19, 1.1, 2, 90), x, y, 31.0)
        level = np.float32(1.9 - 1.7 * self.light.puddles)
        water = smoothstep(level - 0.15, level + 0.15, hollow)
        damp = self._reflect(colour, surface, 0.02, 0.75 * wet)
        pool = self._reflect(colour * np.float32(0.45), surface, 0.06, 0.98)
        return mixed(damp, pool, water)

    def _reflect(self, colour: np.ndarray, surface: Surface, straight: float, grazing: float) -> np.ndarray:
        """Adds the mirrored sky by Schlick's formula between `straight` and `grazing` reflectance."""
        toward = dot(surface.direction, surface.normal)
        mirrored = surface.direction - 2 * toward * surface.normal
        share = straight + (grazing - straight) * raised(np.clip(1 + toward, 0, 1), 5)
        sky = sky_radiance(self.light, mirrored, sun_disc=False)
        seen = share * smoothstep(-0.15, 0.25, mirrored[2])
        return colour * (1 - share) + sky * seen

    def _haze(self, colour: np.ndarray, surface: Surface) -> np.ndarray:
        depth = surface.distance * np.float32(self.light.haze)
        if self.light.fog:
            depth = depth + np.maximum(surface.distance - self.light.fog_start, 0) * np.float32(self.light.fog)
        far = 1 - np.exp(-depth)
        towards_sun = raised(np.clip(self.light.sun_direction @ surface.direction, 0, 1), 8)
        horizon, glare = self.light.horizon * np.float32(0.95), self.light.sun * np.float32(0.12)
        return mixed(colour, horizon[:, None] + towards_sun * glare[:, None], far)


_GLOWING = (Material.METAL, Material.HEADLIGHT, Material.REARLIGHT)
"""Materials whose first param is the radiance of their own."""

_LAMP_HEAD = np.array([5.0, 3.8, 2.4], np.float32)
_ROOM = np.array([1.0, 0.66, 0.34], np.float32)

_GLOSS = {Material.PAINTWORK: (0.05, 0.7), Material.GLASS: (0.1, 0.9)}
"""Reflectance straight on and at grazing sight of the materials that mirror the sky."""
