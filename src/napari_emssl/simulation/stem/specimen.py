"""What lies under the probe: a crystal, its edge, a grain boundary, or nanoparticles.

Lengths are in nm; points are (y, x) from the first pixel's centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import shapes as forms
from .columns import Columns, Grain, apart, joined, mirrored, turn
from .conditions import Conditions
from .lattice import Cell, Floats, ZoneAxis, parse_axis, project
from .materials import MATERIALS, find_cell
from .settings import STEMSettings

_KINDS = {"crystal": 0.35, "edge": 0.2, "boundary": 0.2, "particles": 0.25}
"""How often each kind of specimen is drawn."""
_CLOSEST, _CLOSEST_NM = 0.65, 0.2
_TWINS = 0.4
_ON_LINE_NM = 0.03
_SHEET_TAPER = 0.1
"""Sheets end in steps close to each other."""


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
    details: dict[str, Any]


@dataclass(frozen=True)
class _Order:
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

    def scene(
        self, columns: Columns, axes: Sequence[ZoneAxis], grains: Sequence[Grain], details: dict[str, Any]
    ) -> Scene:
        """The finished specimen."""
        spacing = min(grain.view.spacing_nm for grain in grains)
        return Scene(columns, self.cell.name, axes, spacing, self.cell.layer_nm is not None, details)


def draw_scene(
    settings: STEMSettings, drawn: Conditions, field: tuple[float, float], rng: np.random.Generator
) -> Scene:
    """Draw a specimen that fills a square from `field[0]` to `field[1]` along y and x.

    Raises
    ------
    UserError
        If the crystal or the zone axis cannot be used.

    """
    order = _Order(_draw_cell(settings, rng), settings, drawn, field)
    kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    kind = kind if settings.specimen == "varied" else settings.specimen
    make = {"crystal": _crystal, "edge": _edge, "boundary": _boundary, "particles": _particles}[kind]
    return make(order, rng)


def _draw_cell(settings: STEMSettings, rng: np.random.Generator) -> Cell:
    """The crystal of the settings, or any of the built-in ones."""
    any_name = MATERIALS[rng.integers(len(MATERIALS))]
    name = any_name if settings.crystal == "varied" else settings.crystal
    return find_cell(name, settings.elements, settings.a_nm, settings.c_nm)


def _oriented(order: _Order, rng: np.random.Generator) -> tuple[ZoneAxis, Grain]:
    """Draw an orientation: the zone axis, the turn about it, the origin."""
    axis = order.cell.zone_axes[rng.integers(len(order.cell.zone_axes))]
    if order.settings.zone_axis != "varied":
        axis = parse_axis(order.settings.zone_axis)
    view = project(order.cell, axis)
    origin = rng.uniform(0, 1, 3) * (0 if order.cell.layer_nm else view.period_nm, 1, 1)
    return axis, Grain(view, turn(rng.uniform(0, 2 * np.pi)), origin)


def _crystal(order: _Order, rng: np.random.Generator) -> Scene:
    """A crystal that fills the field."""
    axis, grain = _oriented(order, rng)
    slab = forms.slab(order.cell, order.drawn, order.field, rng)
    columns = grain.cut(order.field, slab, order.drawn, rng)
    return order.scene(columns, [axis], [grain], {"specimen": "crystal"})


def _edge(order: _Order, rng: np.random.Generator) -> Scene:
    """A crystal that ends in the image, abruptly or in a wedge."""
    axis, grain = _oriented(order, rng)
    slab = forms.slab(order.cell, order.drawn, order.field, rng)
    inside = forms.line(order.field, 0.3, 0.25, rng)
    taper = float(rng.uniform(0.05, 0.6) * order.edge_nm) * (_SHEET_TAPER if order.cell.layer_nm else 1)

    def surfaces(points: Floats) -> tuple[Floats, Floats]:
        bottom, top = slab(points)
        return bottom, bottom + (top - bottom) * np.clip(inside(points) / taper, 0, 1)

    columns = grain.cut(order.field, surfaces, order.drawn, rng)
    return order.scene(columns, [axis], [grain], {"specimen": "edge", "taper_nm": taper})


def _boundary(order: _Order, rng: np.random.Generator) -> Scene:
    """Two grains that share a zone axis: turned against each other, or mirrored as twins."""
    axis, grain = _oriented(order, rng)
    slab = forms.slab(order.cell, order.drawn, order.field, rng)
    angle, twins = float(rng.uniform(3, 57)), bool(rng.random() < _TWINS)
    if twins:
        side, other = mirrored(grain, order.middle + rng.uniform(-0.2, 0.2, 2) * order.edge_nm)
    else:
        side = forms.line(order.field, 0.2, 0.1, rng)
        shift = rng.uniform(0, 0.3, 3) * (0 if order.cell.layer_nm else 1, 1, 1)
        other = Grain(grain.view, turn(np.deg2rad(angle)) @ grain.turn, grain.origin + shift)
    here, there = (one.cut(order.field, slab, order.drawn, rng) for one in (grain, other))
    here, there = here[side(here.places) >= -_ON_LINE_NM], there[side(there.places) < 0]
    there = apart(there, here, min(_CLOSEST * grain.view.spacing_nm, _CLOSEST_NM))
    details: dict[str, Any] = {"specimen": "boundary", "twins": twins}
    return order.scene(
        joined([here, there]), [axis], [grain], details if twins else details | {"misorientation_deg": angle}
    )


def _particles(order: _Order, rng: np.random.Generator) -> Scene:
    """Nanoparticles, one large or some smaller ones, each with a zone axis along the beam."""
    count = int(rng.integers(1, 5))
    diameters = order.drawn.diameter_nm * np.array([1.0, *rng.uniform(0.4, 0.9, count - 1)])
    spread = order.edge_nm * (0.15 if count == 1 else 0.4)
    oriented, parts = [], []
    for diameter in diameters:
        centre = order.middle + rng.uniform(-spread, spread, 2)
        oriented.append(_oriented(order, rng))
        form = forms.polyhedron(order.cell, oriented[-1][1], centre, diameter / 2, order.drawn, rng)
        parts.append(oriented[-1][1].cut(order.field, form, order.drawn, rng))
    axes, grains = zip(*oriented, strict=True)
    return order.scene(joined(parts), axes, grains, {"specimen": "particles", "diameters_nm": diameters.tolist()})
