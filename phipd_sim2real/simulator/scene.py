"""The static world of one map: geometry built once, then only looked at."""

from __future__ import annotations

import threading
import zlib
from functools import cached_property, lru_cache

import numpy as np

from phipd_sim2real.simulator.districts import DISTRICTS
from phipd_sim2real.simulator.dressing import dress
from phipd_sim2real.simulator.ground import Terrain
from phipd_sim2real.simulator.lane_marks import Mark
from phipd_sim2real.simulator.level_boxes import LevelBox
from phipd_sim2real.simulator.road_mesh import RoadMesh, road_mesh
from phipd_sim2real.simulator.triangles import Material, Triangles, concatenate


class Geometry:
    """Triangles with an Embree hierarchy over them."""

    def __init__(self, soup: Triangles) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.soup = soup
        self._embree = EmbreeScene()
        TriangleMesh(self._embree, soup.vertices)

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> dict[str, np.ndarray]:
        """First hits of (N, 3) float32 rays: primID (-1: none), tfar, u, v, Ng."""
        return self._embree.run(origins, directions, output=True)

    def blocked(self, origins: np.ndarray, directions: np.ndarray, reach: np.ndarray | None = None) -> np.ndarray:
        """(N,) bool: whether anything lies on the ray, at most (N,) float32 metres `reach` away if that is given."""
        return self._embree.run(origins, directions, reach, query="OCCLUDED") != -1

    @cached_property
    def lamp_heads(self) -> np.ndarray:
        """(n, 3) world metres: where its street lamps shine from."""
        heads = self.soup.frame[(self.soup.material == Material.METAL) & (self.soup.params[:, 0, 0] > 0)]
        return np.unique(heads, axis=0)


class Scene:
    """Roads, terrain and what stands beside them.

    The roads and the terrain are the same in every district; buildings, plants and poles are the district's.

    Attributes:
        map_name: the map's name.
        seed: seed of everything that the OpenDRIVE text leaves open.
        marks: table of lane marks that `Triangles.marks` points into; index 0 is None.
        heads: numbers of the traffic lights' heads by OpenDRIVE's ids of their signals.
    """

    def __init__(self, map_name: str, seed: int, mesh: RoadMesh) -> None:
        self.map_name, self.seed, self.marks = map_name, seed, list[Mark | None](mesh.marks)
        self.heads = {signal.signal_id: number for number, signal in enumerate(mesh.signals, 1)}
        self._mesh = mesh
        # crc32, because Python's own hash of a text changes from run to run.
        self._random_seed = zlib.crc32(map_name.encode()) ^ seed
        self._terrain = Terrain(mesh.grade, self._random_seed % 1000)
        self._geometry: dict[str, Geometry] = {}
        self._boxes: dict[str, list[LevelBox]] = {}
        self._building = threading.Lock()

    @classmethod
    def from_opendrive(cls, map_name: str, xodr: str, seed: int = 0) -> Scene:
        """Builds the scene of an OpenDRIVE map.

        Args:
            map_name: any name; it seeds what the map does not say, so equal names give equal scenes.
            xodr: OpenDRIVE text.
            seed: gives the same map another neighbourhood.
        """
        return cls(map_name, seed, road_mesh(map_name, xodr))

    def geometry(self, district: str) -> Geometry:
        """The scene in one district of districts.DISTRICTS, built at the first call."""
        with self._building:
            if district not in self._geometry:
                parts = [self._mesh.triangles(), self._terrain.triangles()]
                dressing = dress(self._mesh, self._terrain, DISTRICTS[district], self._random_seed)
                parts += dressing.parts
                self._boxes[district] = dressing.boxes
                self._geometry[district] = Geometry(concatenate(parts))
            return self._geometry[district]

    def boxes(self, district: str) -> list[LevelBox]:
        """Boxes about everything that stands in the scene: buildings, plants, poles, lights, signs, parked cars."""
        self.geometry(district)
        return self._boxes[district]


@lru_cache(maxsize=1)
def shared_scene(map_name: str, xodr: str, seed: int) -> Scene:
    """The scene of the map that is served, one for those who draw it and those who run into it."""
    return Scene.from_opendrive(map_name, xodr, seed)
