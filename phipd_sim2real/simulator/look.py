"""What a family of appearance consists of: colours and textures of a world, and the camera that looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def linear(*colours: str) -> np.ndarray:
    """(n, 3) float32 linear RGB of "#rrggbb" colours, by the sRGB curve's 2.2 approximation."""
    rgb = [[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in colours]
    return (np.array(rgb) ** 2.2).astype(np.float32)


@dataclass(frozen=True)
class GroundLook:
    """Road, sidewalk and soil. Strengths are 0 (absent) to about 1.

    Attributes:
        asphalt, paint_white, paint_yellow, slab, kerb: colours.
        soil: colours that the open ground is mixed from; the first also covers the verge.
        grain, blotch: contrast of the asphalt's fine and coarse texture.
        patches, cracks, stains, seams, dust: strength of repairs, cracks, oil, joints and dirt from the verge.
        wear: how much of the paint has gone.
        slab_metres: side of a sidewalk slab.
        meadow: contrast of the soil's texture.
    """

    asphalt: str
    paint_white: str
    paint_yellow: str
    slab: str
    kerb: str
    soil: tuple[str, str, str]
    grain: float
    blotch: float
    patches: float
    cracks: float
    stains: float
    seams: float
    dust: float
    wear: float
    slab_metres: float
    meadow: float


@dataclass(frozen=True)
class FacadeLook:
    """Buildings.

    Attributes:
        walls, roofs: palettes; each building draws one colour.
        frame: colour of window frames; glass: colour of the panes.
        floor: metres per storey; bay: metres per window; window: metres wide and high.
        bricks: contrast of courses; streaks: of rain stains below the eaves.
    """

    walls: tuple[str, ...]
    roofs: tuple[str, ...]
    frame: str
    glass: str
    floor: float
    bay: float
    window: tuple[float, float]
    bricks: float
    streaks: float


@dataclass(frozen=True)
class PlantLook:
    """Trees and hedges: palettes, and the contrast of their leaves' texture."""

    crowns: tuple[str, ...]
    hedge: str
    bark: str
    texture: float


@dataclass(frozen=True)
class SkyLook:
    """Sky, sun and air.

    Attributes:
        zenith, horizon, cloud: colours; overcast: colour of the sky under full cloud.
        least_cloud: cloudiness (0..1) at CARLA's cloudiness 0; at 100 it is always 1.
        sun_height: factor on CARLA's sun altitude.
        sun: strength of direct light; ambient: of the sky's.
        sun_colour: at noon.
        haze: optical density per kilometre at fog_density 0.
    """

    zenith: str
    horizon: str
    cloud: str
    overcast: str
    least_cloud: float
    sun_height: float
    sun: float
    ambient: float
    sun_colour: str
    haze: float


@dataclass(frozen=True)
class LensLook:
    """Camera.

    Attributes:
        exposure: brightness that the mean of a picture is drawn to, 0..1 in display units.
        adaptation: 0 a fixed exposure, 1 the mean is held exactly.
        saturation, contrast: of the tone curve; 1 leaves them.
        warmth: -1 blue to 1 yellow.
        black: lifts the deepest tones, 0..1.
        vignette: share of light lost in the corners.
        blur: standard deviation in pixels of a picture 240 wide; grows with the width.
        fringe: lateral chromatic aberration, relative scale of red against blue.
        grain: standard deviation of the sensor's noise, of 255, at mid grey.
    """

    exposure: float
    adaptation: float
    saturation: float
    contrast: float
    warmth: float
    black: float
    vignette: float
    blur: float
    fringe: float
    grain: float


@dataclass(frozen=True)
class Look:
    """One family of appearance. `district` names the furnishing in districts.DISTRICTS."""

    district: str
    ground: GroundLook
    facade: FacadeLook
    plants: PlantLook
    sky: SkyLook
    lens: LensLook

    @cached_property
    def colours(self) -> dict[str, np.ndarray]:
        """Linear palettes by name: (3,) for single colours, (n, 3) for palettes."""
        found: dict[str, np.ndarray] = {}
        for part in (self.ground, self.facade, self.plants, self.sky):
            for name, value in vars(part).items():
                if isinstance(value, str):
                    found[name] = linear(value)[0]
                elif isinstance(value, tuple) and isinstance(value[0], str):
                    found[name] = linear(*value)
        return found
