"""A model and its file: one safetensors file, weights plus a JSON card; nothing is ever unpickled.

Imports no torch: weights are numpy arrays here, so that lists of models and the viewer stay light.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..data.images.intensity_scaling import IntensityScaling
from ..errors import UserError
from .tasks import TaskName

FORMAT_VERSION = 1
_KEY = "napari_emssl"
"""Where the card stands in the file's metadata."""
_USUAL = {"storage": "float32", "upscale": 1, "partial": False}
"""Fields that are written only where they differ from this."""
_LATER_OF_NETWORK = ("vector_channels", "mask_decoder", "painted", "scale", "threshold", "heads", "norm")
"""Fields of the network that are written only where they differ from their defaults."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""How the names of a batch norm's statistics end, which are no trained parameters."""

Storage = Literal["float32", "float16"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(_Record):
    """Everything `networks.generators.build_generator` needs to build the network again."""

    name: str
    width: int | None = None
    out_channels: int = 1
    refine: bool = False
    """Whether an HRNet has its part at full resolution."""
    vector_channels: int = 0
    """How many of the first channels are a vector by which pixels are compared; 0 where there is none."""
    mask_decoder: str = ""
    """Name of the U-Net, as wide as the generator, that draws masks from similarities; empty where there is none."""
    painted: tuple[int, ...] = ()
    """For each class, background first, how many painted pixels the network remembers; none where it was trained."""
    scale: float = 1.0
    """By how much a network that remembers painted pixels enlarges images before it looks; a power of two."""
    threshold: float = Field(0.0, ge=-8, le=8)
    """Log-odds from which on a network that remembers painted pixels gives a pixel a class."""
    heads: tuple[str, ...] = ("restore",)
    """Of a generator: what the channels after the vector are, one each: the restored image, or the logit of objects."""
    norm: Literal["batch", "instance"] = "batch"
    """What is normalised together: a channel of the batch, or of each image on its own."""

    def for_output(self, channels: int) -> "NetworkSpec":
        """Return the network of a generator with this many output channels, for another task; its heads are dropped."""
        usual = {name: type(self).model_fields[name].default for name in ("vector_channels", "mask_decoder", "heads")}
        return self.model_copy(update=usual | {"out_channels": channels})

    def channel_of(self, head: str) -> int | None:
        """Return the output channel of a generator's head, or None where it has no such head."""
        return self.vector_channels + self.heads.index(head) if head in self.heads else None


class ClassInfo(_Record):
    """One class of a segmentation model; index 0 of `Card.classes` is the background."""

    name: str
    target_value: int | None = None
    """The value of this class in dense masks, where 0 is background."""


class Stage(_Record):
    """One stage in the history of a model: what was done, with what, and with which result."""

    job: str
    settings: dict[str, object]
    data: dict[str, object] = Field(default_factory=dict)
    start: str | None = None
    steps: int = 0
    seconds: float = 0.0
    metrics: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    date: str = ""
    command: str = ""


class Card(_Record):
    """What a model file says about itself."""

    format_version: int = FORMAT_VERSION
    name: str
    task: TaskName
    network: NetworkSpec
    scaling: IntensityScaling = IntensityScaling()
    classes: tuple[ClassInfo, ...] = ()
    pixel_size_nm: tuple[float, float] | None = None
    """Smallest and largest pixel size seen in training, nm; None when no image was calibrated."""
    history: tuple[Stage, ...] = ()
    licence: str = "unknown"
    description: str = ""
    upscale: int = Field(1, ge=1, le=4)
    """How many times finer than the image's grid that of the result is, along height and width."""
    partial: bool = False
    """Whether weights are missing: only the encoder was pretrained elsewhere, and the rest is learnt in fine-tuning."""
    storage: Storage = "float32"
    """How the file holds the weights of convolutions; everything else is float32, and so are they once read."""


@dataclass(frozen=True)
class Model:
    """A trained network as data: its card and its weights (numpy, by parameter name)."""

    card: Card
    weights: Mapping[str, NDArray[np.generic]]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    def renamed(self, name: str) -> "Model":
        """Return the same model under another name."""
        return replace(self, card=self.card.model_copy(update={"name": name}))


def save_model(model: Model, path: str | Path, overwrite: bool = True, storage: Storage | None = None) -> Path:
    """Write `model` to one safetensors file, first under a temporary name, then renamed.

    Parameters
    ----------
    model
        What to write.
    path
        The file to write; its folder is made.
    overwrite
        Whether a file that is there may be replaced.
    storage
        ``float16`` rounds the weights of convolutions to 11 bits and nearly halves the file; None keeps what the card
        says.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UserError
        When the file exists and `overwrite` is False, or the folder cannot be written to.

    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise UserError(f"'{path}' exists. Choose another name or pass --overwrite.")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    card = model.card if storage is None else model.card.model_copy(update={"storage": storage})
    content = _content_of(card, model.weights)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # safetensors' save_file would make a file that only its owner may read, and report a full disk by an error of
        # its own that is no OSError
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"Cannot write '{path}': {error.strerror or error}. Choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _content_of(card: Card, weights: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the bytes of a model file."""
    from safetensors.numpy import save

    stored = half if card.storage == "float16" else np.asarray
    arrays = {name: np.asarray(stored(array), order="C") for name, array in weights.items()}
    # fields of later versions are written only where they matter, so that other files stay readable by older programs,
    # which forbid fields they do not know
    unsaid: dict[str, bool | set[str]] = {name: True for name, usual in _USUAL.items() if getattr(card, name) == usual}
    usual = {name: NetworkSpec.model_fields[name].default for name in _LATER_OF_NETWORK}
    unsaid["network"] = {name for name, value in usual.items() if getattr(card.network, name) == value}
    if card.scaling.hot_pixels is None:
        unsaid["scaling"] = {"hot_pixels"}
    return save(arrays, {_KEY: card.model_dump_json(exclude=unsaid)})


def half(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return float32 weights as float16 where that is harmless, else as they are.

    Kept as they are: arrays of one dimension (biases, and statistics of norms, whose running variance may be far
    outside the range of float16), and arrays in which a value would be off by more than 1/2048 of the largest one, be
    it by overflow or because all values are tiny.
    """
    if array.dtype != np.float32 or array.ndim < 2 or array.size == 0:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = array.astype(np.float16)
        weights: NDArray[np.float32] = np.asarray(array, np.float32)
        error = np.abs(rounded.astype(np.float32) - weights).max()
    return rounded if error <= np.abs(weights).max() * 2.0**-11 else array


def count_parameters(path: str | Path) -> int:
    """Return the number of trained parameters in a model file, from its header; norm statistics do not count."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        keys = file.keys()  # an open file is no mapping: it cannot be iterated over
        names = [name for name in keys if not name.endswith(_STATISTICS)]
        return sum(prod(file.get_slice(name).get_shape()) for name in names)


def read_card(path: str | Path) -> Card:
    """Read the card alone, without the weights; raises `UserError` as `read_model` does."""
    return _parse_card(_open(Path(path))[0], Path(path))


def read_model(path: str | Path) -> Model:
    """Read a model file.

    Raises
    ------
    UserError
        When the file is missing, damaged, no model of this program, or of another format version; the text says which.

    """
    path = Path(path)
    metadata, weights = _open(path, with_weights=True)
    return Model(_parse_card(metadata, path), weights)


def _open(path: Path, with_weights: bool = False) -> tuple[dict[str, str], dict[str, NDArray[np.generic]]]:
    """Metadata and, where wanted, weights; safetensors checks the header: types, sizes, no bytes missing."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"There is no model file '{path}'. 'napari-emssl models list' shows the models by name.")
    try:
        with safe_open(path, framework="numpy") as file:
            keys = file.keys() if with_weights else ()
            weights = {key: _full(file.get_tensor(key)) for key in keys}
            return dict(file.metadata() or {}), weights
    except (SafetensorError, OSError, ValueError) as error:
        if _is_of_pytorch(path):
            raise UserError(
                f"'{path}' is a file of PyTorch, not a model of napari-emssl. If it holds the weights of one of the "
                "networks here: napari-emssl models import FILE --network NAME --mapping official."
            ) from error
        raise UserError(
            f"'{path}' cannot be read as a model file ({error}). It is damaged or cut short: fetch or copy it again."
        ) from error


def _is_of_pytorch(path: Path) -> bool:
    """Whether a file begins as those that `torch.save` writes, now or before 2020."""
    with path.open("rb") as file:
        begin = file.read(4)
    return begin == b"PK\x03\x04" or begin[:2] in (b"\x80\x02", b"\x80\x04")


def _full(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return weights stored as float16 as float32."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _parse_card(metadata: Mapping[str, str], path: Path) -> Card:
    """Card in a file's metadata; the version is checked first, since a newer card may have fields unknown here."""
    if _KEY not in metadata:
        raise UserError(
            f"'{path}' is a safetensors file but not a napari-emssl model: it has no card. "
            "Give a file that napari-emssl wrote."
        )
    try:
        raw = json.loads(metadata[_KEY])
        version = raw.get("format_version")
        if version != FORMAT_VERSION:
            raise UserError(
                f"'{path}' has model format version {version}; this program reads version {FORMAT_VERSION}. "
                "Update napari-emssl."
            )
        return Card.model_validate(raw)
    except (ValidationError, json.JSONDecodeError, AttributeError) as error:
        raise UserError(f"The card of '{path}' is damaged ({type(error).__name__}). Fetch or copy it again.") from error
