"""Gold nanoparticles as lists of atoms, and how they come to rest on a support.

Coordinates are (z, y, x) in nm, z towards the electron source.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from scipy.spatial.transform import Rotation

LATTICE_NM = 0.40782
"""Edge of gold's face-centred cubic cell."""
ATOM_RADIUS_NM = float(LATTICE_NM / np.sqrt(8))
"""Half the distance of two neighbours in gold."""

_FACES_100 = np.eye(3)
_FACES_111 = np.array([(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]) / np.sqrt(3)
_TWIN_NORMAL = _FACES_111[0]
_ZONE_AXES = ((1, 1, 0), (1, 1, 0), (1, 0, 0), (1, 1, 1), (1, 1, 2))
_SURFACE_ENERGY_RATIO = 1.12
"""Distance of the {100} faces from the centre in that of the {111} faces; assumed, near calculated values of gold."""
_ROUGHNESS_PERIOD_NM = 1.2
_MOST_TRIES = 50
"""Places that a particle tries before it takes the best of them."""

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Habit:
    """The form of a particle: a Wulff polyhedron of {111} and {100} faces, cut by a sphere that rounds its corners.

    Distances are in units of the mean distance of the {111} faces from the centre.
    """

    faces: NDArray[np.float64]
    """Outward normals divided by the distance of their face, ``(14, 3)``."""
    sphere: float
    """Radius of the sphere: 0.9 leaves a ball, 1.3 sharp corners."""
    twin_plane: float | None = None
    """Distance of a twin plane (111) from the centre, in radii of the particle: the crystal below is mirrored above."""

    def reach(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return how large the form must be to hold each of the points ``(m, 3)``: ``(m,)``, in their unit."""
        radius = np.linalg.norm(points, axis=1) / self.sphere
        return np.asarray(np.maximum(radius, (points @ self.faces.T).max(axis=1)))


@dataclass(frozen=True)
class Particle:
    """One gold particle, its centre of mass at the origin."""

    atoms: Points
    """Positions ``(m, 3)``."""
    zone_axis: tuple[int, int, int] | None = None
    """Crystal direction near the beam, if it was set."""
    twinned: bool = False
    diameter_nm: float = field(init=False)
    """Diameter of the sphere that holds as many atoms of bulk gold."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "diameter_nm", float((6 / np.pi * len(self.atoms) * LATTICE_NM**3 / 4) ** (1 / 3)))

    @property
    def radius_nm(self) -> float:
        """Radius of the smallest ball around the centre that holds all atoms, to their edge."""
        return float(np.sqrt((self.atoms**2).sum(axis=1).max())) + ATOM_RADIUS_NM


def lattice_ball(radius_nm: float, offset: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sites ``(m, 3)`` of a gold lattice, shifted by `offset` (nm), within a radius of the origin."""
    reach = int(np.ceil((radius_nm + np.linalg.norm(offset)) / LATTICE_NM)) + 1
    cells = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)])
    sites = ((cells + basis) * LATTICE_NM + offset).reshape(-1, 3)
    return np.asarray(sites[(sites**2).sum(axis=1) <= radius_nm**2])


def along_beam(axis: Sequence[float], tilt_rad: float, rng: np.random.Generator) -> Rotation:
    """Turn a crystal so that a direction of it lies along the beam.

    Parameters
    ----------
    axis
        Direction of the crystal, ``(3,)``, of any length but 0.
    tilt_rad
        Angle left between `axis` and the beam, to a random side.
    rng
        Source of that side and of the turn about the beam.

    Returns
    -------
    scipy.spatial.transform.Rotation
        Turns points of the crystal into (z, y, x).
    """
    up = np.asarray(axis, float) / np.linalg.norm(axis)
    side = np.cross(up, _FACES_100[np.argmin(np.abs(up))])
    side /= np.linalg.norm(side)
    to_z = Rotation.from_matrix(np.stack([up, side, np.cross(up, side)]))  # rows give z, y, x
    towards = rng.uniform(0, 2 * np.pi)
    tilt = Rotation.from_rotvec(tilt_rad * np.array([0, np.sin(towards), np.cos(towards)]))
    return tilt * Rotation.from_rotvec([rng.uniform(0, 2 * np.pi), 0, 0]) * to_z


def random_habit(rng: np.random.Generator, twinned: bool) -> Habit:
    """Draw a truncated octahedron, its faces grown unevenly, its corners more or less round."""
    distances = np.concatenate([np.full(6, _SURFACE_ENERGY_RATIO), np.ones(8)]) * rng.uniform(0.85, 1.15, 14)
    normals = np.concatenate([_FACES_100, -_FACES_100, _FACES_111, -_FACES_111])
    plane = float(rng.uniform(-0.1, 0.3)) if twinned else None
    return Habit(normals / distances[:, None], float(rng.uniform(0.9, 1.25)), plane)


def roughness(
    points: NDArray[np.floating], amplitude: float, period: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Smooth random field over points: the sum of eight plane waves of random direction.

    Parameters
    ----------
    points
        Where it is evaluated, ``(m, 3)``.
    amplitude
        Standard deviation of the field.
    period
        About the wavelength, in the unit of the points.
    rng
        Source of the waves; the same state gives the same field at any points.

    Returns
    -------
    numpy.ndarray
        ``(m,)``, in the unit of `amplitude`.
    """
    waves = rng.normal(0, 2 * np.pi / period / np.sqrt(3), (8, 3))
    phases = rng.uniform(0, 2 * np.pi, 8)
    return np.asarray(amplitude / 2 * np.cos(points @ waves.T + phases).sum(axis=1))


def crystal(habit: Habit, diameter_nm: float, roughness_nm: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Grow a particle, in crystal axes, around a random point of the cell.

    It holds as many atoms as a sphere of gold of the given diameter; a twin may lack one of them.

    Parameters
    ----------
    habit
        Form of the particle.
    diameter_nm
        Diameter of the sphere of the same number of atoms.
    roughness_nm
        Standard deviation of the surface.
    rng
        Source of the point of the cell and of the roughness.

    Returns
    -------
    numpy.ndarray
        Sites ``(m, 3)`` in nm.
    """
    # sites are filled from the inside out, so the number of atoms, and with it the size, is exact
    count = round(np.pi / 6 * diameter_nm**3 * 4 / LATTICE_NM**3)
    plane = np.inf if habit.twin_plane is None else habit.twin_plane * diameter_nm / 2
    offset = rng.uniform(0, LATTICE_NM, 3)
    if habit.twin_plane is not None:
        offset += (plane - offset @ _TWIN_NORMAL) * _TWIN_NORMAL
    sites = lattice_ball(0.75 * diameter_nm + 3 * roughness_nm, offset)
    order = np.argsort(habit.reach(sites) + roughness(sites, roughness_nm, _ROUGHNESS_PERIOD_NM, rng))
    if habit.twin_plane is None:
        return np.asarray(sites[order[:count]])
    return _twinned(sites[order], plane, count)


def _twinned(sites: NDArray[np.floating], plane: float, count: int) -> NDArray[np.float64]:
    """Mirror the first sites below a (111) plane across it, enough of them for the twin to have `count` atoms."""
    height = sites @ _TWIN_NORMAL - plane
    sites, height = sites[height < 1e-6], height[height < 1e-6]
    mirrored = height < -1e-6
    kept = np.cumsum(1 + mirrored) <= count
    images = sites - 2 * height[:, None] * _TWIN_NORMAL
    return np.concatenate([sites[kept], images[kept & mirrored]])


def make_particle(
    diameter_nm: float,
    rng: np.random.Generator,
    *,
    zone_axis_share: float = 0.5,
    zone_tilt_deg: float = 3.0,
    twin_share: float = 0.3,
    roughness_nm: float = 0.1,
) -> Particle:
    """Draw a gold particle.

    Parameters
    ----------
    diameter_nm
        Diameter of the sphere of the same volume.
    rng
        Source of form and orientation.
    zone_axis_share
        Probability of an orientation near <110>, <100>, <111> or <112>; otherwise it is uniform over all rotations.
    zone_tilt_deg
        Standard deviation of the tilt away from the zone axis.
    twin_share
        Probability of a (111) twin plane.
    roughness_nm
        Standard deviation of the surface.

    """
    twinned = bool(rng.random() < twin_share)
    sites = crystal(random_habit(rng, twinned), diameter_nm, roughness_nm, rng)
    axis: tuple[int, int, int] | None = None
    turn = Rotation.from_quat(rng.normal(size=4))
    if rng.random() < zone_axis_share:
        axis = _ZONE_AXES[rng.integers(len(_ZONE_AXES))]
        shown = (1, -1, 0) if twinned and axis == (1, 1, 0) else axis  # in the twin plane: both halves are on axis
        turn = along_beam(shown, np.deg2rad(zone_tilt_deg) * rng.normal(), rng)
    atoms = turn.apply(sites)
    return Particle((atoms - atoms.mean(axis=0)).astype(np.float32), axis, twinned)


def settle(
    particles: Sequence[Particle], extent_nm: float, overlap: float, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Let particles fall on the plane z = 0 of a square field, the large ones first.

    A particle tries up to 50 places for one where it covers the others by no more than `overlap`, else takes the best
    of them. One that meets another comes to rest on top of it.

    Parameters
    ----------
    particles
        What falls.
    extent_nm
        Edge of the field, in which all centres lie.
    overlap
        By how much of their distance two particles may overlap in the image, 0 to 1.
    rng
        Source of the places.

    Returns
    -------
    list of numpy.ndarray
        Centres (z, y, x) ``(3,)`` in nm, in the order of `particles`.

    """
    places: dict[int, NDArray[np.float64]] = {}
    for index in sorted(range(len(particles)), key=lambda i: -particles[i].radius_nm):
        radius = particles[index].radius_nm
        others = [(place[1:], particles[i].radius_nm) for i, place in places.items()]
        best, best_gap = np.zeros(2), -np.inf
        for _ in range(_MOST_TRIES):
            spot = rng.uniform(0, extent_nm, 2)
            gap = min((np.linalg.norm(spot - p) / (radius + r) for p, r in others), default=np.inf)
            if gap > best_gap:
                best, best_gap = spot, float(gap)
            if gap >= 1 - overlap:
                break
        height = max(
            [ATOM_RADIUS_NM - float(particles[index].atoms[:, 0].min()), *_rests(best, radius, particles, places)]
        )
        places[index] = np.array([height, *best])
    return [places[i] for i in range(len(particles))]


def _rests(
    spot: NDArray[np.floating], radius: float, particles: Sequence[Particle], places: dict[int, NDArray[np.float64]]
) -> list[float]:
    """Heights at which a ball above `spot` touches the ones below it."""
    heights = []
    for i, place in places.items():
        reach = radius + particles[i].radius_nm
        room = reach**2 - float(((spot - place[1:]) ** 2).sum())
        if room > 0:
            heights.append(float(place[0]) + float(np.sqrt(room)))
    return heights


def outline(points: NDArray[np.floating], pixel_size_nm: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels that a particle covers in projection, holes filled.

    Atoms are discs of half the neighbour distance, and what lies within two of their radii on all sides counts as
    covered: rows of atoms seen end-on leave no gaps.

    Parameters
    ----------
    points
        Atoms (y, x) ``(m, 2)`` in nm; pixel ``(i, j)`` has its centre at ``(i, j) * pixel_size_nm``.
    pixel_size_nm
        Edge of a pixel.
    shape
        ``(h, w)`` of the result.

    Returns
    -------
    numpy.ndarray
        Mask ``(h, w)``: whether the centre of a pixel is covered.
    """
    margin = int(np.ceil(2 * ATOM_RADIUS_NM / pixel_size_nm)) + 2
    index = np.round(np.asarray(points) / pixel_size_nm).astype(int)
    low = index.min(axis=0) - margin
    # the box may reach beyond the image: atoms outside of it must close the gaps at its border too
    box = np.zeros(index.max(axis=0) + margin + 1 - low, bool)
    box[tuple((index - low).T)] = True
    # a morphological closing, by distances: grown by two radii of an atom, then shrunk by one
    near = distance_transform_edt(~box) * pixel_size_nm <= 2 * ATOM_RADIUS_NM
    filled = distance_transform_edt(binary_fill_holes(near)) * pixel_size_nm > ATOM_RADIUS_NM
    result = np.zeros(shape, bool)
    start, stop = np.maximum(low, 0), np.minimum(low + box.shape, shape)
    if (stop > start).all():
        source = tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))
        result[start[0] : stop[0], start[1] : stop[1]] = filled[source]
    return result
