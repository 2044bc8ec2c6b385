"""The families of appearance: what a world is painted with and what camera looks at it."""

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
    """One family of appearance. `district` names the furnishing in dressing.DISTRICTS."""

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


SOURCE = Look(
    district="modern",
    ground=GroundLook(
        asphalt="#565a62",
        paint_white="#fbfbff",
        paint_yellow="#ffc81e",
        slab="#9d9b97",
        kerb="#b9b7b2",
        soil=("#5a9440", "#6aa24a", "#4c8439"),
        grain=0.05,
        blotch=0.03,
        patches=0.0,
        cracks=0.0,
        stains=0.0,
        seams=0.0,
        dust=0.0,
        wear=0.0,
        slab_metres=2.0,
        meadow=0.12,
    ),
    facade=FacadeLook(
        walls=("#e8d9b8", "#d9745a", "#f0f0ea", "#8fb3d6", "#e6b85c", "#c9d6c0", "#d8a0a8"),
        roofs=("#8a8f98", "#b5533c", "#6f7b8c"),
        frame="#ffffff",
        glass="#3f6f9c",
        floor=3.2,
        bay=3.0,
        window=(1.7, 1.7),
        bricks=0.0,
        streaks=0.0,
    ),
    plants=PlantLook(
        crowns=("#3f8a3a", "#559a40", "#307a3a", "#6ea248"), hedge="#3c8f38", bark="#7a5a3c", texture=0.12
    ),
    sky=SkyLook(
        zenith="#5a9bf0",
        horizon="#d6eeff",
        cloud="#ffffff",
        overcast="#c3ccd6",
        least_cloud=0.12,
        sun_height=1.0,
        sun=2.6,
        ambient=0.85,
        sun_colour="#fff6e2",
        haze=0.35,
    ),
    lens=LensLook(
        exposure=0.52,
        adaptation=0.5,
        saturation=1.08,
        contrast=1.05,
        warmth=0.0,
        black=0.0,
        vignette=0.0,
        blur=0.0,
        fringe=0.0,
        grain=0.0,
    ),
)
"""Clean computer graphics: saturated, crisp paint, hard sun, simple textures."""

TARGET = Look(
    district="old",
    ground=GroundLook(
        asphalt="#6f6b66",
        paint_white="#c9c4b6",
        paint_yellow="#b89450",
        slab="#8d857a",
        kerb="#928b80",
        soil=("#857a58", "#6e6a45", "#98835f"),
        grain=0.34,
        blotch=0.22,
        patches=0.75,
        cracks=0.85,
        stains=0.6,
        seams=0.6,
        dust=0.7,
        wear=0.5,
        slab_metres=0.8,
        meadow=0.38,
    ),
    facade=FacadeLook(
        walls=("#8a6250", "#a1917c", "#7d746a", "#b3a588", "#96705a", "#8c8a86"),
        roofs=("#5d4238", "#4d4a48", "#6c5547"),
        frame="#9c968a",
        glass="#2e3234",
        floor=2.9,
        bay=2.3,
        window=(0.95, 1.35),
        bricks=0.3,
        streaks=0.45,
    ),
    plants=PlantLook(
        crowns=("#56552f", "#6b6238", "#474b2e", "#7d6534", "#5d5a3c"),
        hedge="#4a4a2e",
        bark="#574c42",
        texture=0.45,
    ),
    sky=SkyLook(
        zenith="#9fadbd",
        horizon="#e6e0d4",
        cloud="#efece6",
        overcast="#c6c5c3",
        least_cloud=0.42,
        sun_height=0.55,
        sun=1.9,
        ambient=1.0,
        sun_colour="#ffe3bd",
        haze=1.5,
    ),
    lens=LensLook(
        exposure=0.5,
        adaptation=0.6,
        saturation=0.85,
        contrast=1.25,
        warmth=0.06,
        black=0.03,
        vignette=0.32,
        blur=0.55,
        fringe=0.0035,
        grain=5.0,
    ),
)
"""A weathered world through a worn camera: grey-brown, cracked and patched, hazy, grainy."""

DUSK = Look(
    district="modern",
    ground=GroundLook(
        asphalt="#465062",
        paint_white="#f4f8ff",
        paint_yellow="#f0b840",
        slab="#8d96a6",
        kerb="#b4bccb",
        soil=("#e8eef8", "#d4deec", "#f4f8ff"),
        grain=0.14,
        blotch=0.16,
        patches=0.3,
        cracks=0.25,
        stains=0.3,
        seams=0.25,
        dust=0.5,
        wear=0.12,
        slab_metres=1.2,
        meadow=0.1,
    ),
    facade=FacadeLook(
        walls=("#5a6680", "#74606c", "#808498", "#4c5e78", "#8a7880", "#6a7488"),
        roofs=("#eef2fa", "#dfe7f2", "#d2dbe9"),
        frame="#a0a6b6",
        glass="#ffc46a",
        floor=3.2,
        bay=3.0,
        window=(1.7, 1.7),
        bricks=0.06,
        streaks=0.12,
    ),
    plants=PlantLook(
        crowns=("#b8c6da", "#9fb2c8", "#d0dae8", "#7e94a8", "#5e7686"), hedge="#a8b8cc", bark="#2e2c34", texture=0.32
    ),
    sky=SkyLook(
        zenith="#2c4a92",
        horizon="#dcb0b8",
        cloud="#a8aed4",
        overcast="#76849e",
        least_cloud=0.3,
        sun_height=0.16,
        sun=1.1,
        ambient=1.0,
        sun_colour="#ffc8b4",
        haze=1.2,
    ),
    lens=LensLook(
        exposure=0.47,
        adaptation=0.6,
        saturation=1.1,
        contrast=1.2,
        warmth=-0.2,
        black=0.02,
        vignette=0.2,
        blur=0.35,
        fringe=0.0,
        grain=2.5,
    ),
)
"""A snowy evening, for style transfer: blue air, low sun, lit windows. Its streets are the source look's own, so that
one drive can be rendered in both and compared pixel by pixel."""

LOOKS: dict[str, Look] = {"source": SOURCE, "target": TARGET, "dusk": DUSK}
"""Every look by its name, as the camera's `look` attribute takes it."""
