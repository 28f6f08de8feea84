"""What goes into an exported network and what comes out of it, in the words of bioimage.io."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..data.images.intensity_scaling import CLIP, IntensityScaling
from ..inference.tiles import default_halo, round_up
from ..models.model_file import Card
from ..models.tasks import task_of

Fields = dict[str, object]
"""Part of a description, as it is written."""
IMAGE = "image"
_SAMPLE_EDGE = 256
EPSILON = 1e-30
"""Added to the range of grey values, which it never changes: it only lets a constant image become zeros."""


@dataclass(frozen=True)
class Grid:
    """Which sizes a network takes, in pixels of its image."""

    stride: int
    """Height and width are multiples of this."""
    halo: int
    """How far from a border of a tile its result differs from that of the whole image."""
    upscale: int
    """How many times finer the grid of the result is."""

    @property
    def smallest(self) -> int:
        """Edge of the smallest tile of which anything is left without its halo."""
        return round_up(2 * self.halo + 1, self.stride)

    @property
    def sample_edge(self) -> int:
        """Edge of the sample image."""
        return round_up(max(self.smallest, _SAMPLE_EDGE), self.stride)


def grid_of(stride: int, receptive_field: int, upscale: int) -> Grid:
    """Return the grid of a network; the halo is the one that the program itself works with.

    Parameters
    ----------
    stride
        Of the network, pixels.
    receptive_field
        Edge in pixels of what reaches one pixel of the output.
    upscale
        Of the card.

    """
    return Grid(stride, default_halo(receptive_field, stride), upscale)


def input_tensor(scaling: IntensityScaling, grid: Grid, test: Fields) -> Fields:
    """Describe the image and how it is scaled.

    Parameters
    ----------
    scaling
        Of the card.
    grid
        Of the network.
    test
        Names the file of the sample, ``(1, 1, h, w)``.

    """
    return {
        "id": IMAGE,
        "description": "Electron micrograph, grey values of any unit",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": ["intensity"]},
            *(_input_axis(name, grid) for name in ("y", "x")),
        ],
        "data": {"type": "float32"},
        "test_tensor": test,
        "preprocessing": _scaled_by(scaling),
    }


def _input_axis(name: str, grid: Grid) -> Fields:
    return {"type": "space", "id": name, "size": {"min": grid.smallest, "step": grid.stride}}


def _scaled_by(scaling: IntensityScaling) -> list[Fields]:
    """Describe an `IntensityScaling` but for the repair of hot pixels, which the format has no word for."""
    percentiles = {
        "axes": ["y", "x"] if scaling.per == "plane" else ["batch", "y", "x"],
        "min_percentile": scaling.low_percent,
        "max_percentile": scaling.high_percent,
        "eps": EPSILON,
    }
    return [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        {"id": "scale_range", "kwargs": percentiles},
        {"id": "clip", "kwargs": {"min": CLIP[0], "max": CLIP[1]}},
    ]


def output_tensor(card: Card, grid: Grid, test: Fields) -> Fields:
    """Describe probabilities or restored intensities.

    Parameters
    ----------
    card
        Of the model.
    grid
        Of the network.
    test
        Names the file of the sample's result, ``(1, c, h, w)``.

    """
    labels = task_of(card.task).gives_labels
    return {
        "id": "probability" if labels else "restored",
        "description": _output_text(card),
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": channel_names(card)},
            *(_output_axis(name, grid) for name in ("y", "x")),
        ],
        "data": {"type": "float32", **({"range": [0.0, 1.0]} if labels else {})},
        "test_tensor": test,
        "postprocessing": _probabilities_of(len(card.classes)) if labels else [],
    }


def _output_axis(name: str, grid: Grid) -> Fields:
    return {
        "type": "space",
        "id": name,
        "size": {"tensor_id": IMAGE, "axis_id": name},
        "scale": 1 / grid.upscale,
        "halo": grid.halo * grid.upscale,
    }


def _probabilities_of(classes: int) -> list[Fields]:
    """Describe how logits become probabilities: two classes share one logit."""
    return [{"id": "sigmoid"}] if classes == 2 else [{"id": "softmax", "kwargs": {"axis": "channel"}}]


def _output_text(card: Card) -> str:
    if not task_of(card.task).gives_labels:
        zero = "0 is the image's black" if task_of(card.task).keeps_background else "0 is no signal"
        return f"Restored image; {zero}, and 1 more is the image's range from black to white"
    if len(card.classes) == 2:
        return "Probability that a pixel belongs to the class"
    return "Probability of each class, background first"


def channel_names(card: Card) -> list[str]:
    """Return the names of the output's channels, words without spaces and different from each other."""
    if not task_of(card.task).gives_labels:
        return ["intensity"]
    names = [item.name for item in card.classes]
    return _as_words(names[1:] if len(names) == 2 else names)


def _as_words(names: Sequence[str]) -> list[str]:
    words: list[str] = []
    for number, name in enumerate(names):
        word = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower() or "class"
        word = word if not word[0].isdigit() else f"class_{word}"
        words.append(word if word not in words else f"{word}_{number}")
    return words
