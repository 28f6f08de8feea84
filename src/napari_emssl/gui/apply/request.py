"""What the user wants a model applied to, resolved into one frozen request. No Qt, no viewer: plain words."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...data.images.image import Image
from ...errors import UserError
from ..layers.layers import LayerSnapshot, appearance_of, snapshot_of


@dataclass(frozen=True)
class ApplyRequest:
    """A model and the planes it shall see."""

    source: LayerSnapshot
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
    return ApplyRequest(snapshot_of(image), model, index or None, appearance_of(image))
