"""The camera of a viewer, and how it follows layers that become larger or smaller. No Qt."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.components import Camera
    from napari.viewer import Viewer


def camera_of(viewer: "Viewer") -> "Camera":
    """Return the camera of a viewer; since napari 0.9 it belongs to the scene."""
    return getattr(viewer, "scene", viewer).camera


def keep_in_view(viewer: "Viewer", before: NDArray[np.floating]) -> None:
    """Let the camera look at what it looked at before all layers became larger or smaller.

    Parameters
    ----------
    viewer
        With the layers as they are now.
    before
        Extent of all layers before, ``(2, axes)``, in the units of the world.

    """
    after, camera = viewer.layers.extent.world[:, -2:], camera_of(viewer)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.ptp(after, axis=0) / np.ptp(before[:, -2:], axis=0)
    if np.isfinite(factor).all() and (factor > 0).all():
        centre = after[0] + (np.asarray(camera.center[-2:]) - before[0, -2:]) * factor
        camera.center = (camera.center[0], float(centre[0]), float(centre[1]))
        camera.zoom /= float(factor.max())
