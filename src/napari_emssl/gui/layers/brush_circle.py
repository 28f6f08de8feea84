"""A way round a fault of napari 0.9: where OpenGL runs in software, it crashes when the last layer goes after painting.

The circle that shows the size of the brush has a background box, as scale bars have, though it needs none. The box
stays when the circle is hidden, and is drawn once more when no layer is left: in freed memory.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.viewer import Viewer


def remove_brush_box(viewer: "Viewer") -> None:
    """Take the box of the brush's circle away; earlier versions of napari have none."""
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", {})
    if "_brush_circle" in overlays:
        overlays["_brush_circle"].box = False
