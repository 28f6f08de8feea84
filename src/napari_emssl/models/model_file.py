"""A model and its file: one safetensors file, weights plus a JSON card; nothing is ever unpickled.

Imports no torch: weights are numpy arrays here, so that lists of models and the viewer stay light.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..atomic_files import replacing
from ..checksums import check_sum, with_checksums
from ..errors import UserError
from ..json_text import parse_json
from .card import FORMAT_VERSION
from .card import Card as Card
from .card import ClassInfo as ClassInfo
from .card import NetworkSpec as NetworkSpec
from .card import Stage as Stage
from .card import Storage as Storage

_KEY = "napari_emssl"
"""Where the card stands in the file's metadata."""
_USUAL = {"storage": "float32", "upscale": 1, "partial": False}
"""Fields that are written only where they differ from this."""
_LATER_OF_NETWORK = ("vector_channels", "mask_decoder", "painted", "scale", "threshold", "filter_share", "heads",
                     "norm", "smoothing_px", "image_share")  # fmt: skip
"""Fields of the network that are written only where they differ from their defaults."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""How the names of a batch norm's statistics end, which are no trained parameters."""


@dataclass(frozen=True)
class Model:
    """A trained network as data: its card and its weights (numpy, by parameter name)."""

    card: Card
    weights: Mapping[str, NDArray[np.generic]]

    def __repr__(self) -> str:
        """Say which model it is, without its numbers: whoever prints the events of a job prints its model too."""
        card = self.card
        return f"Model({card.name!r}, task={card.task!r}, network={card.network.name!r})"

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
    bad = not_finite(model.weights)
    if bad:
        raise UserError(
            f"Model '{model.name}' is not written to '{path}': its weights are not finite ({bad}), so its training has "
            "diverged. Train again with a lower learning rate."
        )
    card = model.card if storage is None else model.card.model_copy(update={"storage": storage})
    content = _content_of(card, model.weights)
    # safetensors' save_file would make a file that only its owner may read, and report a full disk by an error of
    # its own that is no OSError
    with replacing(path, overwrite) as temporary:
        temporary.write_bytes(content)
    return path


def digest_of(model: Model | None) -> str:
    """Tell the weights of a model from others, whatever it is called; None: random ones."""
    if model is None:
        return "random"
    found = blake2b(digest_size=16)
    for name in sorted(model.weights):
        found.update(name.encode() + np.ascontiguousarray(model.weights[name]).tobytes())
    return found.hexdigest()


def not_finite(weights: Mapping[str, NDArray[np.generic]]) -> str:
    """Return the name of the first array that holds NaN or an infinity; empty where all are finite."""
    real = ((name, array) for name, array in weights.items() if array.dtype.kind in "fc")
    return next((name for name, array in real if not np.isfinite(array).all()), "")


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
    return with_checksums(save(arrays, {_KEY: card.model_dump_json(exclude=unsaid)}))


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
        When the file is missing, damaged, no model of this program, of another format version, or holds weights that
        are not finite; the text says which.

    """
    path = Path(path)
    metadata, weights = _open(path, with_weights=True)
    card = _parse_card(metadata, path)
    bad = not_finite(weights)
    if bad:
        raise UserError(
            f"The weights of '{path}' are not finite ({bad}): its training diverged, or the file is damaged. "
            "Use another model."
        )
    return Model(card, weights)


def _open(path: Path, with_weights: bool = False) -> tuple[dict[str, str], dict[str, NDArray[np.generic]]]:
    """Metadata and, where wanted, weights; safetensors checks the header: types, sizes, no bytes missing."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"There is no model file '{path}'. 'napari-emssl models list' shows the models by name.")
    try:
        with safe_open(path, framework="numpy") as file:
            keys = file.keys() if with_weights else ()
            weights = {key: _full(file.get_tensor(key)) for key in keys}
            metadata = dict(file.metadata() or {})
        check_sum(path, metadata, with_weights)
        return metadata, weights
    except UserError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError) as error:
        if _is_of_pytorch(path):
            raise UserError(
                f"'{path}' is a file of PyTorch, not a model of napari-emssl. If it holds the weights of one of the "
                "networks here: napari-emssl models import FILE --network NAME --mapping official."
            ) from error
        raise UserError(
            f"'{path}' cannot be read as a model file ({error}). "
            "It is not a model file, or it is damaged or cut short: choose another file, or copy it again."
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
        raw = parse_json(metadata[_KEY])
        if not isinstance(raw, dict):
            raise ValueError("it is not an object")
        version = raw.get("format_version")
        if version != FORMAT_VERSION:
            raise UserError(
                f"'{path}' has model format version {version}; this program reads version {FORMAT_VERSION}. "
                "Update napari-emssl."
            )
        return Card.model_validate(raw)
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        raise UserError(f"The card of '{path}' is damaged ({_first(error)}). Fetch or copy it again.") from error


def _first(error: Exception) -> str:
    """Say what is wrong with a card: where pydantic says it, the first field."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    detail = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, detail['loc'][:3]))}: {detail['msg']}"
