"""What is painted, as far as the live preview needs it: the plane in view, and paint that was seen or found. No Qt."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...layers.layers import Index, LayerSnapshot, plane_in_view, snapshot_of, window_in_view
from ..painting.classes import given_classes
from ..painting.painted_image import PaintedImage, on_grid
from ..painting.regions import regions_of
from .preview_snapshot import FoundPlanes, Inputs, OtherPainting, PreviewSnapshot

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.viewer import Viewer

_MOST_PLANES, _MOST_IN_CONTEXT = 4, 16
"""Painted planes that are learnt from, those in view last first of all."""


class PaintMemory:
    """Makes questions of what is painted now, and knows on which other planes there is paint.

    Parameters
    ----------
    viewer
        The viewer whose sliders say which plane is in view.

    """

    def __init__(self, viewer: "Viewer") -> None:
        self._viewer = viewer
        self.layers: tuple[Image | None, Labels | None] = (None, None)
        """Image and painting of the last question."""
        self._painted: dict[Index, NDArray[np.generic]] = {}
        self._found: dict[Labels, FoundPlanes] = {}

    def forget(self) -> None:
        """Begin again with the next question."""
        self.layers = (None, None)

    def edited(self, painting: "Labels") -> None:
        """Look again for the paint of a painting that is not in view."""
        self._found.pop(painting, None)

    def keep(self, paintings: "Iterable[Labels]") -> None:
        """Forget what was found in other paintings than these."""
        self._found = {painting: self._found[painting] for painting in paintings if painting in self._found}

    def takes(self, inputs: Inputs, in_context: bool) -> bool:
        """Whether something can be asked of what is picked: of the image alone only in context.

        Raises
        ------
        UserError
            When the painting is on another grid.

        """
        if inputs.image is None:
            return False
        if inputs.painting is None:
            return in_context
        return isinstance(on_grid(inputs.painting, snapshot_of(inputs.image)), np.ndarray)

    def snapshot(self, inputs: Inputs, number: int, in_context: bool) -> PreviewSnapshot | None:
        """Copy what is painted on the plane in view, and remember it for later questions; None without paint.

        Parameters
        ----------
        inputs
            What is picked, see `takes`.
        number
            Of the question.
        in_context
            Whether a network compares with what is painted anywhere. Then the plane in view is asked about before
            anything is painted, too, so that the first answer comes soon.

        """
        image, painting = inputs.image, inputs.painting
        if image is None:
            return None
        source, most = snapshot_of(image), _MOST_IN_CONTEXT if in_context else _MOST_PLANES
        if (image, painting) != self.layers:
            self.layers, self._painted = (image, painting), {}
            self._found.pop(painting, None)
        index = plane_in_view(image, self._viewer)
        shown = np.zeros(source.shape[-2:], np.uint8) if painting is None else painting.data[index].copy()
        self._remember(index, shown, most)
        if not in_context and not any(plane.any() for plane in self._painted.values()):
            return None
        painted = PaintedImage(
            source, painting.name if painting else "", dict(self._painted), regions_of(inputs.shapes, image)
        )
        others = self._others(inputs, source) if in_context else ()
        return PreviewSnapshot(
            number, painted, index, given_classes(painting) if painting else {}, inputs.unpainted, others, most,
            window_in_view(image),
        )  # fmt: skip

    def _remember(self, index: Index, plane: NDArray[np.generic], most: int) -> None:
        """Keep the plane in view, and of the others those painted last."""
        self._painted.pop(index, None)
        kept = [other for other, labels in self._painted.items() if labels.any()][1 - most :]
        self._painted = {other: self._painted[other] for other in kept} | {index: plane}

    def _others(self, inputs: Inputs, source: LayerSnapshot) -> tuple[OtherPainting, ...]:
        """Return paint that is not in view: on planes of this image that have not been, and on the added images."""
        own = [(inputs.image, inputs.painting, inputs.shapes)] if source.leading else []
        return tuple(
            OtherPainting(
                snapshot_of(image), painting.name, painting.data, regions_of(shapes, image),
                self._found.setdefault(painting, FoundPlanes()),
            )
            for image, painting, shapes in (*own, *inputs.others)
            if image is not None and painting is not None
            and isinstance(painting.data, np.ndarray) and painting.data.shape == snapshot_of(image).shape
        )  # fmt: skip
