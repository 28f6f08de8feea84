"""The image that shows whoever runs an exported model that it gives the same result as here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.images.intensity_scaling import CLIP, IntensityScaling
from ..data.images.opening import read_image
from ..errors import UserError
from ..inference.reading import read_plane
from ..models.build import build_network
from ..models.model_file import Card, Model
from ..models.objectives import objective_of
from ..models.tasks import task_of
from ..simulation.hrtem.sample_data import sample_stack
from ..simulation.stem.sample_data import simulate_pair
from .tensors import EPSILON

_ROUNDING = 1e-4
_NOTHING = 1e-3
"""Results that are smaller than this everywhere show nothing."""


@dataclass(frozen=True)
class Sample:
    """An image and what the model makes of it."""

    plane: NDArray[np.float32]
    """Grey values ``(h, w)``."""
    scaled: NDArray[np.float32]
    """As the network sees it, ``(h, w)``."""
    result: NDArray[np.float32]
    """Probabilities ``(classes, h, w)``, of one class that of the class alone; or scaled intensities
    ``(1, upscale * h, upscale * w)``."""


def make_sample(model: Model, edge: int, path: Path | None = None) -> Sample:
    """Take an image and apply the model to it.

    Parameters
    ----------
    model
        Any model.
    edge
        Of the image, pixels; a multiple of the network's stride.
    path
        An image file, of whose first plane the middle is taken; None simulates an image.

    Raises
    ------
    UserError
        When the image is too small, or the model finds nothing on it.

    """
    scaling = model.card.scaling
    plane = np.asarray(scaling.repaired(_simulated(model.card, edge) if path is None else _middle(path, edge)))
    values = np.asarray(plane, np.float32)
    scaled = scaling.fit(values).to_unit(values)
    shown = "the simulated sample image" if path is None else f"'{path}'"
    if not _as_declared(values, scaled, scaling):
        raise UserError(
            f"No other program scales {shown} as this one does: it holds NaN, or nearly all of its pixels are the "
            "same. Give another sample image."
        )
    result = _applied(model, scaled)
    if float(np.abs(result).max()) < _NOTHING:
        raise UserError(
            f"'{model.name}' finds nothing on {shown}, so nobody could test the package with it. Give a sample "
            "image on which it finds something."
        )
    return Sample(values, scaled, result)


def _as_declared(plane: NDArray[np.float32], scaled: NDArray[np.float32], scaling: IntensityScaling) -> bool:
    """Whether the steps that a package declares scale a plane as it was scaled here; see `tensors.input_tensor`."""
    low, high = np.percentile(plane, (scaling.low_percent, scaling.high_percent))
    declared = np.clip((plane - low) / (high - low + EPSILON), *CLIP)
    return bool((np.abs(declared - scaled) < _ROUNDING).all())


def _simulated(card: Card, edge: int) -> NDArray[np.generic]:
    """Return gold nanoparticles on carbon, or to a model that restores atomic resolution the edge of a crystal."""
    task = task_of(card.task)
    gold = task.gives_labels or task.is_pretext
    plane: NDArray[np.generic] = sample_stack(1, edge)[0][0] if gold else simulate_pair(edge)["noisy"]
    return plane


def _middle(path: Path, edge: int) -> NDArray[np.generic]:
    image = read_image(path)
    height, width = image.plane_shape
    if min(height, width) < edge:
        raise UserError(
            f"'{path}' has {height} x {width} px; the sample of this model needs {edge} x {edge} px. Give a larger one."
        )
    top, left = (height - edge) // 2, (width - edge) // 2
    plane: NDArray[np.generic] = read_plane(image, 0)
    return plane[top : top + edge, left : left + edge]


def _applied(model: Model, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the model's own network gives for one image, in one piece and in float32."""
    with torch.inference_mode():
        decoded = objective_of(model.card).decode(build_network(model)(torch.from_numpy(scaled)[None, None]))[0]
    values: NDArray[np.float32] = decoded.numpy()
    one_class = task_of(model.card.task).gives_labels and len(values) == 2
    return values[1:] if one_class else values
