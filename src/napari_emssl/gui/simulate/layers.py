"""Simulated images and their truth as layers, on one field. No Qt."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.images.intensity_scaling import IntensityScaling
from ...errors import UserError
from ...jobs.settings import SimulateSettings
from ..layers.layers import METADATA_KEY, placement, placement_of_finer

IMAGE, FINE, DISCS = "image", "noNoiseNoBackgroundUpinterpolation2x", "circularMask"
KINDS = {
    FINE: "2x finer grid",
    "noNoiseNoBackgroundSuperresolution": "super-resolved",
    "noBackgroundnoNoise": "no background",
    "noNoise": "no noise",
    IMAGE: "simulated",
}
"""What the image layers are called, by folder of TEM-ImageNet, from below to the top."""

_MOST_BYTES = 4 * 2**30
_BYTES_PER_PX = 44
"""Of all the planes of one image together."""
_runs = itertools.count()


def require_room(options: SimulateSettings, size_px: int) -> None:
    """Refuse what would fill the memory, before it is simulated."""
    gigabytes = options.count * size_px**2 * _BYTES_PER_PX / 1e9
    if gigabytes * 1e9 > _MOST_BYTES:
        raise UserError(
            f"{options.count} images of {size_px} px are {gigabytes:.0f} GB as layers. Make fewer, or write them into "
            "a folder."
        )


class SimulatedLayers:
    """The layers of one simulation; shown again, a preview is updated in place."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.by_kind: dict[str, Any] = {}

    def show(self, made: Any, name: str, single: bool) -> None:
        """Show `made` (a `jobs.simulate.Simulated`), as planes where it is a single image, else as stacks."""
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
        """Make room for others to be looked at."""
        for layer in self.by_kind.values():
            layer.visible = False

    def alive(self, *kinds: str) -> bool:
        """Whether these layers are still in the viewer."""
        return all(self.by_kind.get(kind) in self._viewer.layers for kind in kinds)

    def _show_image(self, kind: str, data: NDArray[Any], name: str, where: dict[str, Any], run: int) -> None:
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

    def _renew(self, kind: str, data: NDArray[Any], name: str, where: dict[str, Any]) -> None:
        layer = self.by_kind[kind]
        layer.data, layer.name = data, name
        for key, value in where.items():
            setattr(layer, key, value)


def _grid(axes: int, size_nm: float | None) -> dict[str, Any]:
    """Scale and units; the first of three axes counts images."""
    edge, unit = (size_nm, "nm") if size_nm else (1.0, "pixel")
    return {"scale": (1.0, edge, edge)[-axes:], "units": ("pixel", unit, unit)[-axes:], "translate": (0.0,) * axes}


def _finer(image: NDArray[Any], grid: dict[str, Any]) -> dict[str, Any]:
    """The same field on half the step."""
    from napari.layers import Image

    where: Mapping[str, object] = placement_of_finer(placement(Image(image, **grid)), 2)
    return {key: where[key] for key in grid}
