"""Simulated images and their truth as layers, on one field. No Qt."""

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.images.intensity_scaling import IntensityScaling
from ..layers.layers import METADATA_KEY, placement, placement_of_finer

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from ...simulation.job import Simulated

IMAGE, FINE, DISCS = "image", "noNoiseNoBackgroundUpinterpolation2x", "circularMask"
KINDS = {
    FINE: "2x finer grid",
    "noNoiseNoBackgroundSuperresolution": "super-resolved",
    "noBackgroundnoNoise": "no background",
    "noNoise": "no noise",
    IMAGE: "simulated",
}
"""What the image layers are called, by folder of TEM-ImageNet, from below to the top."""

_runs = itertools.count()


class SimulatedLayers:
    """The layers of one simulation; shown again, a preview is updated in place."""

    def __init__(self, viewer: "Viewer") -> None:
        self._viewer = viewer
        self.by_kind: dict[str, Layer] = {}

    def show(self, made: "Simulated", name: str, single: bool) -> None:
        """Show simulated images and their truth.

        Parameters
        ----------
        made
            The images.
        name
            First part of the names of the layers.
        single
            Whether the first image is shown as a plane; otherwise all are, as stacks.

        """
        run, new = next(_runs), not self.alive(IMAGE)
        stacks = {kind: stack[0] if single else stack for kind, stack in made.stacks.items()}
        grid = _grid(stacks[IMAGE].ndim, made.pixel_size_nm)
        for kind, word in KINDS.items():
            where = grid if kind != FINE else _finer(stacks[IMAGE], grid)
            self._show_image(kind, stacks[kind], f"{name} | {word}", where, run)
        self._show_discs(stacks[DISCS].astype(np.uint8), f"{name} | atoms", grid)
        if single:
            self._show_columns(made.columns_px[0], f"{name} | columns", grid)
        self._viewer.layers.selection.active = self.by_kind[IMAGE]
        if new:
            self._viewer.reset_view()

    def hide(self) -> None:
        """Hide these so that other layers can be seen."""
        for layer in self.by_kind.values():
            layer.visible = False

    def alive(self, *kinds: str) -> bool:
        """Whether these layers are still in the viewer."""
        return all(self.by_kind.get(kind) in self._viewer.layers for kind in kinds)

    def _show_image(self, kind: str, data: NDArray[np.float32], name: str, where: dict[str, Any], run: int) -> None:
        limits = tuple(float(limit) for limit in IntensityScaling().fit(data if data.ndim == 2 else data[0]))
        metadata = {METADATA_KEY: {"simulated": {"run": run, "kind": kind}}}
        if self.alive(kind):
            self._renew(kind, data, name, where)
            self.by_kind[kind].contrast_limits = limits
            self.by_kind[kind].metadata = metadata
        else:
            self.by_kind[kind] = self._viewer.add_image(
                data, name=name, contrast_limits=limits, visible=kind == IMAGE, metadata=metadata, **where
            )

    def _show_discs(self, discs: NDArray[np.uint8], name: str, where: dict[str, Any]) -> None:
        if self.alive(DISCS):
            self._renew(DISCS, discs, name, where)
        else:
            self.by_kind[DISCS] = self._viewer.add_labels(discs, name=name, visible=False, opacity=0.5, **where)

    def _show_columns(self, places: NDArray[np.float64], name: str, where: dict[str, Any]) -> None:
        """Positions (y, x) of the columns of atoms; of stacks, points would lengthen the slider by their size."""
        if self.alive("columns"):
            self._renew("columns", places, name, where)
        else:
            self.by_kind["columns"] = self._viewer.add_points(
                places, name=name, size=3, face_color="transparent", border_color="orange", border_width=0.2, **where
            )

    def _renew(self, kind: str, data: NDArray[np.generic], name: str, where: dict[str, Any]) -> None:
        layer = self.by_kind[kind]
        layer.data, layer.name = data, name
        for key, value in where.items():
            setattr(layer, key, value)


def _grid(axes: int, size_nm: float | None) -> dict[str, Any]:
    """Scale and units; the first of three axes counts images."""
    edge, unit = (size_nm, "nm") if size_nm else (1.0, "pixel")
    return {"scale": (1.0, edge, edge)[-axes:], "units": ("pixel", unit, unit)[-axes:], "translate": (0.0,) * axes}


def _finer(image: NDArray[np.float32], grid: dict[str, Any]) -> dict[str, Any]:
    """The same field on half the step."""
    from napari.layers import Image

    where: Mapping[str, object] = placement_of_finer(placement(Image(image, **grid)), 2)
    return {key: where[key] for key in grid}
