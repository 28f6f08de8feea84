"""Pictures for people: panels of images. Drawn with matplotlib, imported when needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INK = "#333333"


def write_panel(path: Path, images: Mapping[str, NDArray[Any]], title: str = "") -> Path:
    """Write images ``(h, w)`` side by side, each under its name, as one PNG.

    Integer images are shown as labels. Beside an image that is called ``clean`` the others are shown in its range of
    grey, so that an offset is seen.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(images), 3.2 + 0.35), dpi=120, layout="constrained")
    for axes, (name, image) in zip(figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True):
        _show(axes, image, images.get("clean", image))
        axes.set_title(name, fontsize=10, color=_INK)
    if title:
        figure.suptitle(title, fontsize=10, color=_INK)
    return _save(figure, path)


def write_overlay(
    path: Path, image: NDArray[Any], found: NDArray[Any], truth: NDArray[Any], painted: NDArray[Any]
) -> Path:
    """Write one PNG of image, painting, prediction and truth: ``(h, w)`` each, masks as outlines on the image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.8, 3.6), dpi=120, layout="constrained")
    layers = {"image": None, "painted": painted, "found": found, "truth": truth}
    for axes, (name, mask) in zip(figure.subplots(1, 4), layers.items(), strict=True):
        _show(axes, np.asarray(image, np.float32))
        if mask is not None and mask.any():
            axes.contour(mask > 0, [0.5], colors=["#ff7f0e" if name != "truth" else "#17becf"], linewidths=0.9)
        axes.set_title(name, fontsize=10, color=_INK)
    return _save(figure, path)


def _show(axes: Any, image: NDArray[Any], measure: NDArray[Any] | None = None) -> None:
    """Show labels in colours, an image in grey over the range of `measure`, a few outliers left out."""
    axes.set_axis_off()
    if image.dtype.kind in "iub":
        axes.imshow(image, cmap="viridis", interpolation="nearest")
        return
    low, high = np.percentile(image if measure is None else measure, (0.5, 99.5))
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))


def _save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
