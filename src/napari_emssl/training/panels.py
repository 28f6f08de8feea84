"""Pictures for people: panels of images. Drawn with matplotlib, imported when needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atomic_files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#333333"


def write_panel(path: Path, images: Mapping[str, NDArray[np.generic]], title: str = "") -> Path:
    """Write images side by side, each under its name, as one picture.

    Integer images are shown as labels. Beside an image that is called ``clean`` the others are shown in its range of
    grey, so that an offset is seen.

    Parameters
    ----------
    path
        The PNG to write; its folder is made.
    images
        ``(h, w)`` each, by name.
    title
        Above all of them.

    Returns
    -------
    Path
        The file written.

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
    path: Path,
    image: NDArray[np.generic],
    found: NDArray[np.generic],
    truth: NDArray[np.generic],
    painted: NDArray[np.generic],
) -> Path:
    """Write image, painting, prediction and truth as one picture, masks as outlines on the image.

    Parameters
    ----------
    path
        The PNG to write; its folder is made.
    image
        ``(h, w)``.
    found, truth, painted
        Labels ``(h, w)``, 0 where there is nothing.

    Returns
    -------
    Path
        The file written.

    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.8, 3.6), dpi=120, layout="constrained")
    layers = {"image": None, "painted": painted, "found": found, "truth": truth}
    for axes, (name, mask) in zip(figure.subplots(1, 4), layers.items(), strict=True):
        _show(axes, np.asarray(image, np.float32))
        if mask is not None and mask.any():
            axes.contour(mask != 0, [0.5], colors=["#ff7f0e" if name != "truth" else "#17becf"], linewidths=0.9)
        axes.set_title(name, fontsize=10, color=_INK)
    return _save(figure, path)


def _show(axes: "Axes", image: NDArray[np.generic], measure: NDArray[np.generic] | None = None) -> None:
    """Show labels in colours, an image in grey over the range of `measure`, a few outliers left out."""
    axes.set_axis_off()
    if image.dtype.kind in "iub":
        axes.imshow(image, cmap="viridis", interpolation="nearest")
        return
    low, high = np.percentile(np.asarray(image if measure is None else measure, np.float32), (0.5, 99.5))
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))


def _save(figure: "Figure", path: Path) -> Path:
    with replacing(path, overwrite=True) as temporary:
        figure.savefig(temporary, format="png")
    return path
