"""What the user asked for, resolved into one frozen request. No Qt, no viewer: plain arrays and words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..data.planes import Image
from ..errors import UserError
from .layers import Source, source_of

Unpainted = Literal["near", "ignored", "background"]


@dataclass(frozen=True)
class TrainingRequest:
    """The painted planes of a stack, copied, so that later edits of the layers do not matter."""

    source: Source
    indices: tuple[tuple[int, ...], ...]
    """Index of each painted plane."""
    planes: tuple[Callable[[], NDArray[Any]], ...]
    """Each returns its plane ``(h, w)``; lazy layers are read only when it is called."""
    painting: NDArray[Any]
    """The labels of the painted planes, ``(n, h, w)``."""
    unpainted: Unpainted
    background_label: int | None

    def images(self) -> list[NDArray[Any]]:
        """Read the painted planes, each ``(h, w)``."""
        return [plane() for plane in self.planes]

    @property
    def values(self) -> tuple[int, ...]:
        """Painted label values, background left out, in order."""
        return tuple(int(v) for v in np.unique(self.painting) if v not in (0, self.background_label))


def training_request(
    image: Any, labels: Any, unpainted: Unpainted = "near", background_label: int | None = None
) -> TrainingRequest:
    """Resolve an image layer and a Labels layer into what a fine-tuning job needs.

    Raises
    ------
    UserError
        When a layer is missing, the painting is on another grid, or nothing is painted.

    """
    if image is None:
        raise UserError("There is no image layer. Open an image, or take File > Open Sample > napari-emssl.")
    if labels is None:
        raise UserError("There is no painting. Press 'New' beside Painting and paint a few particles.")
    source = source_of(image)
    painted = _painted_planes(source, labels)
    if not painted:
        raise UserError(f"No pixel is painted in '{labels.name}'. Paint one particle, then start again.")
    request = TrainingRequest(
        source, tuple(painted), tuple(_reader(source, i) for i in painted),
        np.stack(list(painted.values())), unpainted, background_label,
    )  # fmt: skip
    if not request.values:
        raise UserError(f"Only background is painted in '{labels.name}'. Paint one particle with another label.")
    return request


def _painted_planes(source: Source, labels: Any) -> dict[tuple[int, ...], NDArray[Any]]:
    """Copy the planes with paint on them, by index."""
    data = labels.data[0] if labels.multiscale else labels.data
    if tuple(data.shape) != source.shape:
        raise UserError(
            f"'{labels.name}' is {_size(data.shape)} but '{source.name}' is {_size(source.shape)}: "
            "they are not on one grid. Press 'New' beside Painting to make one that is."
        )
    planes = ((index, np.asarray(data[index])) for index in source.indices())
    return {index: plane.copy() for index, plane in planes if plane.any()}


def _reader(source: Source, index: tuple[int, ...]) -> Callable[[], NDArray[Any]]:
    """A plane in memory is copied now; one on disk is read when the job asks for it."""
    if not isinstance(source.data, np.ndarray):
        return lambda: source.plane(index)
    plane = source.plane(index)
    return lambda: plane


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


@dataclass(frozen=True)
class ApplyRequest:
    """A model and the planes it shall see."""

    source: Source
    model: str
    """Name in the zoo, or path."""
    index: tuple[int, ...] | None
    """The one plane to work on; None for all planes."""
    appearance: dict[str, Any] = field(default_factory=dict, repr=False)
    """Keyword arguments that make an Image layer look like the source."""

    @property
    def title(self) -> str:
        """What is worked on, for messages."""
        return f"'{self.source.name}'" + (f", plane {list(self.index)}" if self.index else "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what is worked on, ``(..., h, w)``."""
        return self.source.shape if self.index is None else self.source.shape[-2:]

    @property
    def planes(self) -> int:
        """How many planes are worked on."""
        return int(np.prod(self.shape[:-2], dtype=int))

    def image(self) -> Image:
        """Return the wanted planes as the job takes them."""
        return self.source.image(self.index)


def apply_request(image: Any, model: str | None, index: tuple[int, ...] | None = None) -> ApplyRequest:
    """Resolve an image layer, a model and a plane (None: all) into what an apply job needs."""
    if image is None:
        raise UserError("There is no image layer. Open an image, or take File > Open Sample > napari-emssl.")
    if not model:
        raise UserError("There is no model to apply. Fine-tune one first, or open a model file.")
    return ApplyRequest(source_of(image), model, index or None, _appearance(image))


def _appearance(image: Any) -> dict[str, Any]:
    """How a layer looks; the colours of an RGB layer have no part in its grey results."""
    if getattr(image, "rgb", False):
        white = 255.0 if np.dtype(image.dtype) == np.uint8 else 1.0
        return {"contrast_limits": (0.0, white)}
    return {"contrast_limits": tuple(image.contrast_limits), "colormap": image.colormap, "gamma": image.gamma}
