"""What the Fine-tune dock needs to know of a request, whichever page it comes from. No Qt."""

from typing import TYPE_CHECKING, Protocol

from ...jobs.settings import FinetuneSettings
from ...models.model_file import Model
from ..job.request import Request
from ..layers.layers import LayerSnapshot

if TYPE_CHECKING:
    from napari.layers import Image


class TrainingRequest(Request[Model], Protocol):
    """A request whose run trains a model and shows, as it runs, what the model makes of the plane in view."""

    @property
    def settings(self) -> FinetuneSettings:
        """How the training goes."""

    @property
    def layer(self) -> "Image":
        """The image layer that previews and the new model are for; to be found again, not to be read."""

    @property
    def source(self) -> LayerSnapshot:
        """That layer as it was, whose planes are previewed."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that stay on screen for the whole run."""
