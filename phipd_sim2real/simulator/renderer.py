"""Camera frames of a scene: Embree finds what is seen, NumPy says how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.simulator.actors_mesh import ActorShape, actors_triangles
from phipd_sim2real.simulator.lens import develop
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.pavement import on_paint
from phipd_sim2real.simulator.rays import CameraView, axis_cosines, shadow_pattern, sight_rays, sun_points
from phipd_sim2real.simulator.scene import Geometry, Scene
from phipd_sim2real.simulator.screen import IS_GROUND, SKY, edges, soften
from phipd_sim2real.simulator.shading import Shader
from phipd_sim2real.simulator.sky import Weather, light, sky_radiance
from phipd_sim2real.simulator.surface import Hits, Surface, dot, shading_normal
from phipd_sim2real.simulator.triangles import Label, Material

SKY_DEPTH = 1000.0
"""Depth in metres of everything at least as far as CARLA's depth camera sees."""
_ACTOR_RANGE = 150.0
"""Metres beyond which an actor is not drawn."""
_MISSED = 1e30
"""Distances beyond it are Embree's way to say that nothing was hit."""
_CARRIER_MARGIN = (0.3, 0.3, 1.2)
"""Metres by which the box of the car that carries the camera is taken larger: roof racks count."""
_JITTER = ((-0.3, -0.12), (0.12, -0.32), (0.2, 0.34))


@dataclass(frozen=True)
class Frame:
    """What a camera sees.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32 metres along the camera's x axis; 1000 for the sky.
        semantics: (H, W) uint8 CARLA CityObjectLabel.
        instances: (H, W) uint16; 0 for the background, an actor's id modulo 65536.
    """

    rgb: np.ndarray
    depth: np.ndarray
    semantics: np.ndarray
    instances: np.ndarray


@dataclass(frozen=True)
class _Seen:
    """First hits of N rays over both soups, and their material (255 is sky)."""

    directions: np.ndarray
    distance: np.ndarray
    material: np.ndarray
    layers: tuple[tuple[Geometry, Hits], ...]


class Renderer:
    """Renders frames of one scene; equal arguments give equal bytes."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def render(self, view: CameraView, actors: Sequence[ActorShape], look: str, weather: Weather, seed: int) -> Frame:
        """Renders one frame with all its labels.

        Args:
            view: the camera.
            actors: what moves; the actor that the camera is inside of or stands on is left out.
            look: a name in looks.LOOKS.
            weather: CARLA's, as far as it shows.
            seed: of this frame's grain.

        Raises:
            UsageError: an unknown look.
        """
        if look not in LOOKS:
            raise UsageError(f"look {look!r} is unknown; give one of {', '.join(sorted(LOOKS))}")
        return _Picture(self.scene, view, actors, look, weather).develop(seed)


class _Picture:
    """The work on one frame."""

    def __init__(
        self, scene: Scene, view: CameraView, actors: Sequence[ActorShape], look: str, weather: Weather
    ) -> None:
        self._view, self._scene, self._look = view, scene, LOOKS[look]
        soup = actors_triangles(_visible(view, actors))
        self._layers = [scene.geometry(self._look.district)] + ([Geometry(soup)] if soup is not None else [])
        self._light = light(self._look, weather)
        self._shader = Shader(self._look, self._light, scene.marks)
        self._eye = view.pose_camera_in_world[:3, 3].astype(np.float32)
        self._pixel = 2 * np.tan(np.radians(view.fov_degrees) / 2) / view.width

    def develop(self, seed: int) -> Frame:
        """Casts, shades, smooths edges and develops the picture."""
        view = self._view
        shape = (view.height, view.width)
        rays = sight_rays(view.width, view.height, view.fov_degrees, 0.0, 0.0)
        seen = self._see(rays)
        material = seen.material.reshape(shape)
        open_ground, open_rest = soften(self._sunlight(seen).reshape(shape), material)
        radiance, normal = self._shade(seen, np.where(IS_GROUND[seen.material], open_ground, open_rest))
        semantics, instances = self._labels(seen)
        edge = edges(material, seen.distance.reshape(shape), normal.reshape(*shape, 3))
        self._smooth_edges(radiance, edge, open_ground, open_rest)
        ahead = seen.distance * axis_cosines(view.width, view.height, view.fov_degrees)
        return Frame(
            rgb=develop(radiance.reshape(*shape, 3), self._look.lens, seed),
            depth=np.minimum(ahead, np.float32(SKY_DEPTH)).astype(np.float32).reshape(shape),
            semantics=semantics.reshape(shape),
            instances=instances.reshape(shape),
        )

    def _see(self, rays: np.ndarray) -> _Seen:
        """Casts (N, 3) camera-frame rays against the world and the actors."""
        turn = self._view.pose_camera_in_world[:3, :3].astype(np.float32)
        directions = np.ascontiguousarray(rays @ turn.T)
        origins = np.ascontiguousarray(np.broadcast_to(self._eye, directions.shape))
        found = [layer.cast(origins, directions) for layer in self._layers]
        reach = np.stack([f["tfar"] for f in found])
        distance, owner = reach.min(0), reach.argmin(0)
        owner[distance > _MISSED] = -1
        material = np.full(len(rays), SKY, np.uint8)
        layers = []
        for index, (layer, hit) in enumerate(zip(self._layers, found, strict=True)):
            rows = np.flatnonzero(owner == index)
            triangle = hit["primID"][rows]
            material[rows] = layer.soup.material[triangle]
            normal = hit["Ng"][rows]
            normal = normal / np.maximum(np.sqrt(dot(normal, normal))[:, None], 1e-12)
            away = dot(normal, directions[rows]) > 0
            normal[away] *= -1
            layers.append((layer, Hits(rows, triangle, hit["u"][rows], hit["v"][rows], normal)))
        return _Seen(directions, np.minimum(distance, np.float32(1e9)), material, tuple(layers))

    def _sunlight(self, seen: _Seen) -> np.ndarray:
        """(N,) 0 or 1: one ray per pixel to a point of the sun's disc, 16 points in a 4 × 4 pattern."""
        lit = np.ones(len(seen.distance), np.float32)
        spot = sun_points(self._light.sun_direction, self._light.spread)
        towards = spot[shadow_pattern(self._view.width, self._view.height)]
        for _, hits in seen.layers:
            rows = hits.rows
            points = self._eye + seen.directions[rows] * seen.distance[rows, None] + hits.normal * np.float32(0.03)
            for layer in self._layers:
                lit[rows] *= ~layer.blocked(points, towards[rows])
        return lit

    def _shade(self, seen: _Seen, visibility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) radiance and (N, 3) shading normals."""
        radiance = np.empty((len(seen.distance), 3), np.float32)
        normals = np.zeros_like(radiance)
        sky = seen.material == SKY
        if sky.any():
            radiance[sky] = sky_radiance(self._light, seen.directions[sky])
        for layer, hits in seen.layers:
            kinds = seen.material[hits.rows]
            for kind in np.unique(kinds):
                chosen = np.flatnonzero(kinds == kind)
                surface = self._surface(seen, layer, hits, chosen, Material(int(kind)), visibility)
                radiance[hits.rows[chosen]] = self._shader.radiance(surface, Material(int(kind)))
                normals[hits.rows[chosen]] = surface.normal
        return radiance, normals

    def _surface(
        self,
        seen: _Seen,
        layer: Geometry,
        hits: Hits,
        chosen: np.ndarray,
        material: Material,
        visibility: np.ndarray,
    ) -> Surface:
        rows, triangle, soup = hits.rows[chosen], hits.triangle[chosen], layer.soup
        direction, distance = seen.directions[rows], seen.distance[rows]
        point = self._eye + direction * distance[:, None]
        params, frame = hits.params(soup, chosen), soup.frame[triangle]
        return Surface(
            point=point,
            direction=direction,
            distance=distance,
            normal=shading_normal(material, hits.normal[chosen], params, frame, point),
            footprint=distance * np.float32(self._pixel),
            visibility=visibility[rows],
            params=params,
            variate=soup.variate[triangle],
            frame=frame,
            marks=soup.marks[triangle],
        )

    def _labels(self, seen: _Seen) -> tuple[np.ndarray, np.ndarray]:
        """(N,) semantics and instances of the pixels' centre rays."""
        semantics = np.full(len(seen.distance), Label.SKY, np.uint8)
        instances = np.zeros(len(seen.distance), np.uint16)
        for layer, hits in seen.layers:
            semantics[hits.rows] = layer.soup.label[hits.triangle]
            instances[hits.rows] = layer.soup.instance[hits.triangle]
        layer, hits = seen.layers[0]
        road = np.flatnonzero(seen.material[hits.rows] == Material.ROAD)
        codes = layer.soup.marks[hits.triangle[road]]
        painted = on_paint(hits.params(layer.soup, road), codes, self._scene.marks)
        semantics[hits.rows[road[painted]]] = Label.ROAD_LINES
        return semantics, instances

    def _smooth_edges(
        self, radiance: np.ndarray, edge: np.ndarray, open_ground: np.ndarray, open_rest: np.ndarray
    ) -> None:
        """Replaces pixels on edges by the mean of four rays, in place."""
        view = self._view
        pixels = np.flatnonzero(edge)
        if not len(pixels):
            return
        rays = [sight_rays(view.width, view.height, view.fov_degrees, dx, dy)[pixels] for dx, dy in _JITTER]
        seen = self._see(np.concatenate(rays))
        again = np.tile(pixels, len(_JITTER))
        visible = np.where(IS_GROUND[seen.material], open_ground[again], open_rest[again])
        colour, _ = self._shade(seen, visible)
        # Highlights are clipped first, or one ray into the sun would bleach the whole pixel.
        total = np.minimum(colour, 4.0).reshape(len(_JITTER), len(pixels), 3)
        radiance[pixels] = (total.sum(0) + np.minimum(radiance[pixels], 4.0)) / (len(_JITTER) + 1)


def _visible(view: CameraView, actors: Sequence[ActorShape]) -> list[ActorShape]:
    """Actors in range that do not carry the camera: those whose box, a little larger, does not hold it."""
    eye = view.pose_camera_in_world[:3, 3]
    kept = []
    for actor in actors:
        local = transform_points(invert(actor.pose_actor_in_world), eye[None])[0] - actor.bbox_centre_xyz
        inside = (np.abs(local) < np.add(actor.extent_xyz, _CARRIER_MARGIN)).all()
        if not inside and np.linalg.norm(local) < _ACTOR_RANGE:
            kept.append(actor)
    return kept
