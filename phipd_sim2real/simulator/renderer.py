"""Camera frames of a scene: Embree finds what is seen, NumPy says how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import invert
from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.casting import Seen, Stage
from phipd_sim2real.simulator.lamps import head_lamps, street_lamps
from phipd_sim2real.simulator.lens import develop
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.rays import CameraView, axis_cosines, shadow_pattern, sun_points
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.screen import IS_GROUND, SKY, edges, soften
from phipd_sim2real.simulator.shading import Shader
from phipd_sim2real.simulator.signal_heads import LightShown, LightTable
from phipd_sim2real.simulator.sky import Weather, light, sky_radiance
from phipd_sim2real.simulator.surface import Surface, columns, interleaved, put
from phipd_sim2real.simulator.triangles import Material

SKY_DEPTH = 1000.0
"""Depth in metres of everything at least as far as CARLA's depth camera sees."""
_JITTER = ((-0.3, -0.12), (0.12, -0.32), (0.2, 0.34))


@dataclass(frozen=True)
class Frame:
    """What a camera sees; all but the colours are exact at the pixels' centres. What was not asked for is None.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32 metres along the camera's x axis; 1000 for the sky.
        semantics: (H, W) uint8 CARLA CityObjectLabel.
        instances: (H, W) uint16; 0 for the background, an actor's id modulo 65536, also of traffic lights' heads.
        normals: (H, W, 3) float32 geometric unit normals that face the eye, right-handed world; 0 for the sky.
        flow: (H, W, 2) float32 pixels, right and down, that the point under each pixel has moved since the tick
            before; NaN where it was behind the camera or beyond what its lens images.
    """

    rgb: np.ndarray | None
    depth: np.ndarray
    semantics: np.ndarray
    instances: np.ndarray
    normals: np.ndarray | None
    flow: np.ndarray | None


USUAL = frozenset({"rgb", "depth", "semantics", "instances"})
"""Kinds of picture that a frame holds if nothing is said."""


class Renderer:
    """Renders frames of one scene; equal arguments give equal bytes."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def render(
        self,
        view: CameraView,
        actors: Sequence[ActorShape],
        look: str,
        weather: Weather,
        seed: int,
        kinds: frozenset[str] = USUAL,
        lights: Sequence[LightShown] = (),
    ) -> Frame:
        """Renders one frame.

        Args:
            view: the camera.
            actors: what moves; the actor that the camera is inside of or stands on is left out.
            look: a name in looks.LOOKS.
            weather: CARLA's, as far as it shows.
            seed: of this frame's grain.
            kinds: which fields of the frame are wanted; depth and labels are always there.
            lights: what the map's traffic lights show; those left out are off.

        Raises:
            UsageError: an unknown look.
        """
        if look not in LOOKS:
            raise UsageError(f"look {look!r} is unknown; give one of {', '.join(sorted(LOOKS))}")
        return _Picture(self.scene, view, actors, look, weather, lights).develop(seed, kinds)


class _Picture:
    """The work on one frame."""

    def __init__(
        self,
        scene: Scene,
        view: CameraView,
        actors: Sequence[ActorShape],
        look: str,
        weather: Weather,
        lights: Sequence[LightShown],
    ) -> None:
        self._view, self._look = view, LOOKS[look]
        eye = view.pose_camera_in_world[:3, 3]
        moving_s = view.delta_s if view.readout else None
        signals = LightTable.of(scene.heads, lights)
        self._stage = Stage(scene, self._look.district, actors, eye, moving_s, signals)
        self._light = light(self._look, weather)
        lamps = head_lamps(actors, eye)
        if self._light.night:
            lamps += street_lamps(self._stage.layers[0].lamp_heads, eye)
        self._shader = Shader(self._look, self._light, scene.marks, signals, lamps, self._stage.blocked)

    def develop(self, seed: int, kinds: frozenset[str]) -> Frame:
        """Casts once and reads every wanted kind of picture off the hits."""
        view = self._view
        shape = (view.height, view.width)
        seen = self._stage.see(view.rays())
        semantics, instances = self._stage.labels(seen)
        ahead = seen.distance * axis_cosines(view.optics)
        return Frame(
            rgb=self._colours(seen, seed) if "rgb" in kinds else None,
            depth=np.minimum(ahead, np.float32(SKY_DEPTH)).astype(np.float32).reshape(shape),
            semantics=semantics.reshape(shape),
            instances=instances.reshape(shape),
            normals=seen.normals().reshape(*shape, 3) if "normals" in kinds else None,
            flow=self._flow(seen, instances).reshape(*shape, 2) if "flow" in kinds else None,
        )

    def _colours(self, seen: Seen, seed: int) -> np.ndarray:
        """Shades, smooths edges and develops the picture; (H, W, 3) uint8."""
        shape = (self._view.height, self._view.width)
        material = seen.material.reshape(shape)
        sunlight = Sunlight(*soften(self._sunlight(seen).reshape(shape), material))
        surfaces = self._surfaces(seen, sunlight)
        radiance = self._radiance(seen, surfaces)
        normal = np.zeros_like(radiance)
        for surface in surfaces:
            put(normal, surface.rows, surface.normal)
        edge = edges(material, seen.distance.reshape(shape), normal.reshape(3, *shape))
        self._smooth_edges(radiance, np.flatnonzero(edge), sunlight)
        return develop(radiance.reshape(3, *shape), self._look.lens, seed)

    def _flow(self, seen: Seen, instances: np.ndarray) -> np.ndarray:
        """(N, 2) float32 pixels; the sky moves as what is infinitely far."""
        view = self._view
        points = self._stage.points_before(seen.points(), instances)
        lines, delays = view.lines()
        back = invert(view.motion.at(delays - view.delta_s))[lines]
        camera = np.einsum("nij,nj->ni", back[:, :3, :3], points) + back[:, :3, 3]
        sky = seen.material == SKY
        camera[sky] = np.einsum("nij,nj->ni", back[sky, :3, :3], seen.directions[sky])
        row, column = np.divmod(np.arange(len(points)), view.width)
        return (np.stack([column + 0.5, row + 0.5], axis=-1) - view.optics.project(camera)).astype(np.float32)

    def _sunlight(self, seen: Seen) -> np.ndarray:
        """(N,) 0 or 1: one ray per pixel to a point of the sun's disc, 16 points in a 4 × 4 pattern."""
        lit = np.ones(len(seen.distance), np.float32)
        spot = sun_points(self._light.sun_direction, self._light.spread)
        pattern = shadow_pattern(self._view.width, self._view.height)
        for hits in seen.layers:
            starts = interleaved(hits.point + hits.face * np.float32(0.03))
            lit[hits.rows] = ~self._stage.blocked(starts, spot.take(pattern.take(hits.rows), axis=0))
        return lit

    def _surfaces(self, seen: Seen, sunlight: Sunlight, pixels: np.ndarray | None = None) -> list[Surface]:
        """What was hit, material by material; `pixels` tells each ray's pixel where that is not its row."""
        surfaces = []
        for hits in seen.layers:
            for material, run in hits.runs():
                part = hits.part(run)
                visibility = sunlight(material, part["rows"] if pixels is None else pixels.take(part["rows"]))
                footprint = part["distance"] * np.float32(self._view.pixel)
                surfaces.append(Surface(**part, material=material, footprint=footprint, visibility=visibility))
        return surfaces

    def _radiance(self, seen: Seen, surfaces: Sequence[Surface]) -> np.ndarray:
        """(3, N) linear radiance along the rays."""
        sky = np.flatnonzero(seen.material == SKY)
        radiance = np.empty((3, len(seen.material)), np.float32)
        put(radiance, sky, sky_radiance(self._light, columns(seen.directions, sky)))
        for surface in surfaces:
            put(radiance, surface.rows, self._shader.radiance(surface))
        return radiance

    def _smooth_edges(self, radiance: np.ndarray, pixels: np.ndarray, sunlight: Sunlight) -> None:
        """Replaces pixels on edges by the mean of four rays, in place."""
        if not len(pixels):
            return
        seen = self._stage.see(self._view.rays_within(pixels, _JITTER))
        colour = self._radiance(seen, self._surfaces(seen, sunlight, np.repeat(pixels, len(_JITTER))))
        # Highlights are clipped first, or one ray into the sun would bleach the whole pixel.
        total = np.minimum(colour, 4.0).reshape(3, len(pixels), len(_JITTER)).sum(2)
        put(radiance, pixels, (total + np.minimum(radiance.take(pixels, axis=1), 4.0)) / (len(_JITTER) + 1))


@dataclass(frozen=True)
class Sunlight:
    """Share of the sun that reaches the ground and the rest of a picture, each (H·W,) float32."""

    ground: np.ndarray
    rest: np.ndarray

    def __call__(self, material: Material, pixels: np.ndarray) -> np.ndarray:
        """(n,) share at points of one material that n pixels show."""
        return (self.ground if IS_GROUND[material] else self.rest).take(pixels)
