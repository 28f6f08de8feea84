"""What lies under the probe: a crystal, its edge, a grain boundary, or nanoparticles.

Lengths are in nm; points are (y, x) from the first pixel's centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data.arrays import Floats
from . import shapes
from .columns import Columns, Grain, concatenated, kept_apart, mirrored, rotation
from .conditions import Conditions
from .lattice import Cell, ZoneAxis, parse_axis, project
from .materials import MATERIALS, find_cell
from .settings import STEMSettings

Details = dict[str, str | bool | float | list[float]]
"""What was drawn for a specimen, by name, as it goes into the record."""

_KINDS = {"crystal": 0.35, "edge": 0.2, "boundary": 0.2, "particles": 0.25}
"""How often each kind of specimen is drawn."""
_CLOSEST, _CLOSEST_NM = 0.65, 0.2
"""Columns at a grain boundary keep this share of the spacing apart, or this distance where that is less."""
_TWINS = 0.4
"""Share of the grain boundaries that are twins."""
_ON_LINE_NM = 0.03
"""Columns so close to the boundary belong to the first grain, so that a twin keeps those on its mirror line once."""
_SHEET_TAPER = 0.1
"""Width of an edge of sheets in that of other crystals: sheets end in steps close to each other."""


@dataclass(frozen=True)
class Scene:
    """A specimen, and what it is, for the record."""

    columns: Columns
    crystal: str
    zone_axes: Sequence[ZoneAxis]
    spacing_nm: float
    """Least distance of two columns in a crystal."""
    layered: bool
    """Whether it is made of atomic sheets."""
    details: Details


@dataclass(frozen=True)
class _Plan:
    """What a specimen is made from."""

    cell: Cell
    settings: STEMSettings
    drawn: Conditions
    field: tuple[float, float]
    """It fills a square between these along y and x."""

    @property
    def edge_nm(self) -> float:
        return self.field[1] - self.field[0]

    @property
    def middle(self) -> Floats:
        return np.full(2, sum(self.field) / 2)

    def scene(self, columns: Columns, axes: Sequence[ZoneAxis], grains: Sequence[Grain], details: Details) -> Scene:
        """Return the finished specimen.

        Parameters
        ----------
        columns
            Its columns.
        axes
            Zone axes of its crystals, for the record.
        grains
            Its crystals; the least spacing of their columns is the specimen's.
        details
            What else was drawn, for the record.
        """
        spacing = min(grain.view.spacing_nm for grain in grains)
        return Scene(columns, self.cell.name, axes, spacing, self.cell.layer_nm is not None, details)


def draw_scene(
    settings: STEMSettings, drawn: Conditions, field: tuple[float, float], rng: np.random.Generator
) -> Scene:
    """Draw a specimen.

    Parameters
    ----------
    settings
        Crystal, zone axis and kind of specimen, as far as they are given.
    drawn
        Everything else that may vary.
    field
        It fills a square between these two along y and x.
    rng
        Source of everything random.

    Raises
    ------
    UserError
        If the crystal or the zone axis cannot be used.

    """
    plan = _Plan(_draw_cell(settings, rng), settings, drawn, field)
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    kind = kind if settings.specimen == "varied" else settings.specimen
    make = {"crystal": _crystal, "edge": _edge, "boundary": _boundary, "particles": _particles}[kind]
    return make(plan, rng)


def _draw_cell(settings: STEMSettings, rng: np.random.Generator) -> Cell:
    """The crystal of the settings, or any of the built-in ones."""
    any_name = MATERIALS[rng.integers(len(MATERIALS))]
    name = any_name if settings.crystal == "varied" else settings.crystal
    return find_cell(name, settings.elements, settings.a_nm, settings.c_nm)


def _oriented(plan: _Plan, rng: np.random.Generator) -> tuple[ZoneAxis, Grain]:
    """Draw an orientation: the zone axis, the turn about it, the origin."""
    axis = plan.cell.zone_axes[rng.integers(len(plan.cell.zone_axes))]
    if plan.settings.zone_axis != "varied":
        axis = parse_axis(plan.settings.zone_axis)
    view = project(plan.cell, axis)
    origin = rng.uniform(0, 1, 3) * (0 if plan.cell.layer_nm else view.period_nm, 1, 1)
    return axis, Grain(view, rotation(rng.uniform(0, 2 * np.pi)), origin)


def _crystal(plan: _Plan, rng: np.random.Generator) -> Scene:
    """A crystal that fills the field."""
    axis, grain = _oriented(plan, rng)
    slab = shapes.slab(plan.cell, plan.drawn, plan.field, rng)
    columns = grain.cut(plan.field, slab, plan.drawn, rng)
    return plan.scene(columns, [axis], [grain], {"specimen": "crystal"})


def _edge(plan: _Plan, rng: np.random.Generator) -> Scene:
    """A crystal that ends in the image, abruptly or in a wedge."""
    axis, grain = _oriented(plan, rng)
    slab = shapes.slab(plan.cell, plan.drawn, plan.field, rng)
    inside = shapes.line(plan.field, 0.3, 0.25, rng)
    taper = float(rng.uniform(0.05, 0.6) * plan.edge_nm) * (_SHEET_TAPER if plan.cell.layer_nm else 1)

    def surfaces(points: Floats) -> tuple[Floats, Floats]:
        bottom, top = slab(points)
        return bottom, bottom + (top - bottom) * np.clip(inside(points) / taper, 0, 1)

    columns = grain.cut(plan.field, surfaces, plan.drawn, rng)
    return plan.scene(columns, [axis], [grain], {"specimen": "edge", "taper_nm": taper})


def _boundary(plan: _Plan, rng: np.random.Generator) -> Scene:
    """Two grains that share a zone axis: turned against each other, or mirrored as twins."""
    axis, grain = _oriented(plan, rng)
    slab = shapes.slab(plan.cell, plan.drawn, plan.field, rng)
    angle, twins = float(rng.uniform(3, 57)), bool(rng.random() < _TWINS)
    if twins:
        side, other = mirrored(grain, plan.middle + rng.uniform(-0.2, 0.2, 2) * plan.edge_nm)
    else:
        side = shapes.line(plan.field, 0.2, 0.1, rng)
        shift = rng.uniform(0, 0.3, 3) * (0 if plan.cell.layer_nm else 1, 1, 1)
        other = Grain(grain.view, rotation(np.deg2rad(angle)) @ grain.turn, grain.origin + shift)
    here, there = (one.cut(plan.field, slab, plan.drawn, rng) for one in (grain, other))
    here, there = here[side(here.places) >= -_ON_LINE_NM], there[side(there.places) < 0]
    there = kept_apart(there, here, min(_CLOSEST * grain.view.spacing_nm, _CLOSEST_NM))
    details: Details = {"specimen": "boundary", "twins": twins}
    return plan.scene(
        concatenated([here, there]), [axis], [grain], details if twins else details | {"misorientation_deg": angle}
    )


def _particles(plan: _Plan, rng: np.random.Generator) -> Scene:
    """Nanoparticles, one large or some smaller ones, each with a zone axis along the beam."""
    count = int(rng.integers(1, 5))
    diameters = plan.drawn.diameter_nm * np.array([1.0, *rng.uniform(0.4, 0.9, count - 1)])
    spread = plan.edge_nm * (0.15 if count == 1 else 0.4)
    oriented, parts = [], []
    for diameter in diameters:
        centre = plan.middle + rng.uniform(-spread, spread, 2)
        oriented.append(_oriented(plan, rng))
        form = shapes.polyhedron(plan.cell, oriented[-1][1], centre, diameter / 2, plan.drawn, rng)
        parts.append(oriented[-1][1].cut(plan.field, form, plan.drawn, rng))
    axes, grains = zip(*oriented, strict=True)
    return plan.scene(concatenated(parts), axes, grains, {"specimen": "particles", "diameters_nm": diameters.tolist()})
