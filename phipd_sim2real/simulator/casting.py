"""What rays hit: one cast over the static district and the actors, which every sensor reads in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.simulator.actors_mesh import ActorShape, actors_triangles
from phipd_sim2real.simulator.bundles import Bundles
from phipd_sim2real.simulator.lane_marks import Mark
from phipd_sim2real.simulator.pavement import on_paint
from phipd_sim2real.simulator.rigid_motion import RigidMotion
from phipd_sim2real.simulator.scene import Geometry, Scene
from phipd_sim2real.simulator.screen import SKY
from phipd_sim2real.simulator.signal_heads import LightTable
from phipd_sim2real.simulator.surface import Hits, columns, dot, unit
from phipd_sim2real.simulator.triangles import Label, Material

_ACTOR_RANGE = 150.0
"""Metres beyond which an actor is not seen."""
_MISSED = np.float32(1e9)
"""Distance in metres of what was not hit; Embree's own is larger."""
_CARRIER_MARGIN = (0.3, 0.3, 1.2)
"""Metres by which the box of the car that carries a sensor is taken larger: roof racks count."""


@dataclass(frozen=True)
class Rays:
    """N rays in the right-handed world.

    Attributes:
        origins: (N, 3) float32 metres.
        directions: (N, 3) float32 unit vectors.
        moments: (N,) int, index of each ray's moment in `delays_s`; None where all leave at once.
        delays_s: (M,) seconds after the frame's time; None where all leave at once.
        bundles: of rays with one origin; None where nobody bundled them.
    """

    origins: np.ndarray
    directions: np.ndarray
    moments: np.ndarray | None = None
    delays_s: np.ndarray | None = None
    bundles: Bundles | None = None


@dataclass(frozen=True)
class Seen:
    """First hits of N rays.

    Attributes:
        origins, directions: (N, 3) float32, of the rays.
        distance: (N,) float32 metres; 1e9 where nothing was hit.
        material: (N,) uint8, a `Material`, or SKY where nothing was hit.
        layers: the hits, layer by layer; the first layer is the static world.
    """

    origins: np.ndarray
    directions: np.ndarray
    distance: np.ndarray
    material: np.ndarray
    layers: tuple[Hits, ...]

    def points(self) -> np.ndarray:
        """(N, 3) float32 world points that were hit."""
        return self.origins + self.directions * self.distance[:, None]

    def normals(self) -> np.ndarray:
        """(N, 3) float32 geometric normals that face the eye, in the world; zero where nothing was hit."""
        normals = np.zeros_like(self.directions)
        for hits in self.layers:
            normals[hits.rows] = hits.face.T
        return normals


class Stage:
    """A scene in one district with its actors at one moment, ready for any number of casts.

    Attributes:
        layers: the static geometry and, where there are any, the actors'.
        actors: those in range of the sensor, without the one that carries it.
    """

    def __init__(
        self,
        scene: Scene,
        district: str,
        actors: Sequence[ActorShape],
        eye: np.ndarray,
        shutter_s: float | None = None,
        signals: LightTable | None = None,
    ) -> None:
        """
        Args:
            scene, district: the static world.
            actors: what moves.
            eye: (3,) world metres, where the sensor is.
            shutter_s: seconds between the two poses of each actor, for casts whose rays leave at different
                moments: actors then move during the cast. None for casts of one moment.
            signals: gives the traffic lights' heads their instances; None leaves them in the background.
        """
        self.actors = _around(eye, actors)
        self._marks: list[Mark | None] = scene.marks
        self._signals = signals or LightTable.of(scene.heads, ())
        static = scene.geometry(district)
        groups = [[actor] for actor in self.actors] if shutter_s else [self.actors]
        soups = [actors_triangles(group) for group in groups]
        self.layers = [static] + [Geometry(soup) for soup in soups if soup is not None]
        self._motions = [_motion(actor, shutter_s) for actor in self.actors] if shutter_s else []

    def see(self, rays: Rays) -> Seen:
        """First hits of rays over everything."""
        static = self.layers[0].cast(rays.origins, rays.directions)
        distance = np.minimum(static["tfar"], _MISSED)
        owner = np.where(distance < _MISSED, np.int16(0), np.int16(-1))
        found = []
        for index in range(1, len(self.layers)):
            rows, hit = self._cast(index, rays)
            nearer = np.flatnonzero(hit["tfar"] < distance.take(rows))
            rows = rows.take(nearer)
            distance[rows], owner[rows] = hit["tfar"].take(nearer), index
            found.append((hit, rows, nearer))
        first = np.flatnonzero(owner == 0)
        layers = [_hits(self.layers[0], rays, static, first, first)]
        for index, (hit, rows, nearer) in enumerate(found, 1):
            first = owner.take(rows) == index
            layers.append(_hits(self.layers[index], rays, hit, rows[first], nearer[first]))
        material = np.full(len(distance), SKY, np.uint8)
        for hits in layers:
            material[hits.rows] = hits.kind
        return Seen(rays.origins, rays.directions, distance, material, tuple(layers))

    def _cast(self, layer: int, rays: Rays) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """First hits in a layer of actors of the rays that may meet it, with their (n,) rows."""
        origins, directions = self._relative(layer, rays)
        if rays.bundles is None:
            return np.arange(len(directions)), self.layers[layer].cast(origins, directions)
        rows = rays.bundles.meeting(*_balls(self.actors, rays.origins[0]))
        return rows, self.layers[layer].cast(origins.take(rows, axis=0), directions.take(rows, axis=0))

    def _relative(self, layer: int, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
        """The rays as an actor that moves during the cast meets them, in the world of the frame's time."""
        if not (self._motions and rays.moments is not None and rays.delays_s is not None):
            return rays.origins, rays.directions
        motion = self._motions[layer - 1]
        back = motion.now @ invert(motion.at(rays.delays_s))
        turn, shift = back[rays.moments, :3, :3], back[rays.moments, :3, 3]
        origins = np.einsum("nij,nj->ni", turn, rays.origins) + shift
        directions = np.einsum("nij,nj->ni", turn, rays.directions)
        return np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32)

    def blocked(self, points: np.ndarray, towards: np.ndarray, reach: np.ndarray | None = None) -> np.ndarray:
        """(N,) bool: whether anything lies on the rays from (N, 3) points, within (N,) metres if these are given."""
        hidden = np.zeros(len(points), bool)
        for layer in self.layers:
            hidden |= layer.blocked(points, towards, reach)
        return hidden

    def labels(self, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
        """(N,) uint8 CityObjectLabels and (N,) uint16 instances of what was hit."""
        semantics = np.full(len(seen.distance), Label.SKY, np.uint8)
        instances = np.zeros(len(seen.distance), np.uint16)
        for hits in seen.layers:
            semantics[hits.rows] = hits.soup.label.take(hits.triangle)
            instances[hits.rows] = hits.soup.instance.take(hits.triangle)
        static = seen.layers[0]
        instances[static.rows] = self._signals.instances[instances[static.rows]]
        for material, run in static.runs():
            if material is Material.ROAD:
                road = Hits(**static.part(run))
                semantics[road.rows[on_paint(road.params, road.marks, self._marks)]] = Label.ROAD_LINES
        return semantics, instances

    def points_before(self, points: np.ndarray, instances: np.ndarray) -> np.ndarray:
        """Where (N, 3) world points were at the tick before: those of actors move with them. (N, 3) float64."""
        before = points.astype(np.float64)
        for actor in self.actors:
            if actor.pose_before_in_world is None:
                continue
            rows = np.flatnonzero(instances == (actor.actor_id & 0xFFFF))
            back = actor.pose_before_in_world @ invert(actor.pose_actor_in_world)
            before[rows] = transform_points(back, before[rows])
        return before


def _hits(layer: Geometry, rays: Rays, hit: dict[str, np.ndarray], rows: np.ndarray, places: np.ndarray) -> Hits:
    """What (n,) rows of the rays have hit in a layer, by material; `places` says where in `hit` they are."""
    kind = layer.soup.material.take(hit["primID"].take(places))
    order = kind.argsort(kind="stable")
    rows, places = rows.take(order), places.take(order)
    direction, distance = columns(rays.directions, rows), hit["tfar"].take(places)
    face = unit(columns(hit["Ng"], places), 1e-12)
    face *= np.where(dot(face, direction) > 0, np.float32(-1), np.float32(1))
    return Hits(
        soup=layer.soup,
        kind=kind.take(order),
        rows=rows,
        triangle=hit["primID"].take(places),
        u=hit["u"].take(places),
        v=hit["v"].take(places),
        point=columns(rays.origins, rows) + direction * distance,
        direction=direction,
        distance=distance,
        face=face,
    )


def _balls(actors: Sequence[ActorShape], eye: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(A, 3) middles of actors from the eye, world metres, and (A,) radii that hold their shapes."""
    poses = np.stack([actor.pose_actor_in_world for actor in actors])
    local = np.array([actor.bbox_centre_xyz for actor in actors])
    middles = np.einsum("nij,nj->ni", poses[:, :3, :3], local) + poses[:, :3, 3]
    # Lamps stand out of the boxes a little.
    return middles - eye, 1.05 * np.linalg.norm([actor.extent_xyz for actor in actors], axis=1)


def _motion(actor: ActorShape, delta_s: float) -> RigidMotion:
    before = actor.pose_actor_in_world if actor.pose_before_in_world is None else actor.pose_before_in_world
    return RigidMotion(actor.pose_actor_in_world, before, delta_s)


def _around(eye: np.ndarray, actors: Sequence[ActorShape]) -> list[ActorShape]:
    """Actors in range that do not carry the sensor: those whose box, a little larger, does not hold it."""
    kept = []
    for actor in actors:
        turn, place = actor.pose_actor_in_world[:3, :3], actor.pose_actor_in_world[:3, 3]
        local = (eye - place) @ turn - actor.bbox_centre_xyz
        inside = (np.abs(local) < np.add(actor.extent_xyz, _CARRIER_MARGIN)).all()
        if not inside and local @ local < _ACTOR_RANGE**2:
            kept.append(actor)
    return kept
