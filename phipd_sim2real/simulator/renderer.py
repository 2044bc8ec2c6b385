"""Camera frames of a scene: Embree finds what is seen, NumPy says how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import invert
from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.casting import Rays, Seen, Stage
from phipd_sim2real.simulator.lamps import head_lamps, street_lamps
from phipd_sim2real.simulator.lens import develop
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.rays import CameraView, axis_cosines, shadow_pattern, sun_points
from phipd_sim2real.simulator.scene import Geometry, Scene
from phipd_sim2real.simulator.screen import IS_GROUND, SKY, edges, soften
from phipd_sim2real.simulator.shading import Shader
from phipd_sim2real.simulator.signal_heads import LightShown, LightTable
from phipd_sim2real.simulator.sky import Weather, light, sky_radiance
from phipd_sim2real.simulator.surface import Hits, Surface, shading_normal
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
        open_ground, open_rest = soften(self._sunlight(seen).reshape(shape), material)
        radiance, normal = self._shade(seen, np.where(IS_GROUND[seen.material], open_ground, open_rest))
        edge = edges(material, seen.distance.reshape(shape), normal.reshape(*shape, 3))
        self._smooth_edges(radiance, edge, open_ground, open_rest)
        return develop(radiance.reshape(*shape, 3), self._look.lens, seed)

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
        towards = spot.take(shadow_pattern(self._view.width, self._view.height), axis=0)
        points = seen.points()
        for _, hits in seen.layers:
            rows = hits.rows
            starts = points.take(rows, axis=0) + hits.normal * np.float32(0.03)
            lit[rows] *= ~self._stage.blocked(starts, towards.take(rows, axis=0))
        return lit

    def _shade(self, seen: Seen, visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) radiance and (N, 3) shading normals."""
        sky = np.flatnonzero(seen.material == SKY)
        rows = [sky]
        radiance = [sky_radiance(self._light, seen.directions.take(sky, axis=0))]
        normals = [np.zeros((len(sky), 3), np.float32)]
        for layer, hits in seen.layers:
            kinds = seen.material.take(hits.rows)
            for kind in np.flatnonzero(np.bincount(kinds)).tolist():
                chosen = np.flatnonzero(kinds == kind)
                surface = self._surface(seen, layer, hits, chosen, Material(kind), visibility)
                rows.append(hits.rows.take(chosen))
                radiance.append(self._shader.radiance(surface, Material(kind)))
                normals.append(surface.normal)
        return _in_order(rows, radiance), _in_order(rows, normals)

    def _surface(
        self,
        seen: Seen,
        layer: Geometry,
        hits: Hits,
        chosen: np.ndarray,
        material: Material,
        visibility: np.ndarray,
    ) -> Surface:
        rows, triangle, soup = hits.rows.take(chosen), hits.triangle.take(chosen), layer.soup
        direction, distance = seen.directions.take(rows, axis=0), seen.distance.take(rows)
        point = seen.origins.take(rows, axis=0) + direction * distance[:, None]
        params, frame = hits.params(soup, chosen), soup.frame.take(triangle, axis=0)
        return Surface(
            point=point,
            direction=direction,
            distance=distance,
            normal=shading_normal(material, hits.normal.take(chosen, axis=0), params, frame, point),
            footprint=distance * np.float32(self._view.pixel),
            visibility=visibility.take(rows),
            params=params,
            variate=soup.variate.take(triangle, axis=0),
            frame=frame,
            marks=soup.marks.take(triangle, axis=0),
        )

    def _smooth_edges(
        self, radiance: np.ndarray, edge: np.ndarray, open_ground: np.ndarray, open_rest: np.ndarray
    ) -> None:
        """Replaces pixels on edges by the mean of four rays, in place."""
        pixels = np.flatnonzero(edge)
        if not len(pixels):
            return
        seen = self._stage.see(_joined([self._view.rays(dx, dy, pixels) for dx, dy in _JITTER]))
        again = np.tile(pixels, len(_JITTER))
        visible = np.where(IS_GROUND[seen.material], open_ground.take(again), open_rest.take(again))
        colour, _ = self._shade(seen, visible)
        # Highlights are clipped first, or one ray into the sun would bleach the whole pixel.
        total = np.minimum(colour, 4.0).reshape(len(_JITTER), len(pixels), 3)
        radiance[pixels] = (total.sum(0) + np.minimum(radiance.take(pixels, axis=0), 4.0)) / (len(_JITTER) + 1)


def _in_order(rows: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 3) float32 values, part by part, put to the rows that the parts belong to, together 0 … N - 1."""
    order = np.concatenate(rows)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return np.concatenate(values, dtype=np.float32, casting="same_kind").take(place, axis=0)


def _joined(parts: Sequence[Rays]) -> Rays:
    """The rays of all parts in order; the moments of one camera's parts count alike."""
    moments = None if parts[0].moments is None else np.concatenate([part.moments for part in parts])
    return Rays(
        np.concatenate([part.origins for part in parts]),
        np.concatenate([part.directions for part in parts]),
        moments,
        parts[0].delays_s,
    )
