"""Files of weights that other programs wrote: safetensors, or a state dict of PyTorch. Nothing in them is ever run."""

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import UserError

_HDF5 = b"\x89HDF"
_OF_PYTORCH = (b"PK\x03\x04", b"\x80")
"""How a zip archive begins, which `torch.save` writes, and a pickle, which it wrote before 2020."""
_WAY_OUT = "Where it was made, save the weights alone: torch.save(model.state_dict(), 'weights.pth')."


def read_state_dict(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return all tensors and numbers of a file by their dotted names, those in dictionaries inside of it too.

    A checkpoint ``{"state_dict": {"conv1.weight": ...}}`` gives ``state_dict.conv1.weight``.

    Raises
    ------
    UserError
        When the file is missing, holds no weights, is cut short, or holds more than weights.

    """
    if not path.is_file():
        raise UserError(f"There is no file '{path}'. Check the name.")
    with path.open("rb") as file:
        begin = file.read(8)
    if begin.startswith(_HDF5):
        raise UserError(f"'{path}' is an HDF5 file, as Keras writes them. Only weights of PyTorch can be imported.")
    if path.suffix != ".safetensors" and not begin.startswith(_OF_PYTORCH):
        raise UserError(
            f"'{path}' is not a file of PyTorch weights. Give a state dict (.pth, .pt, .tar) or safetensors."
        )
    found = _safetensors(path) if path.suffix == ".safetensors" else dict(_flat(_loaded(path)))
    if not found:
        raise UserError(f"'{path}' was read, but there are no weights in it. Give the file of a state dict.")
    return found


def _safetensors(path: Path) -> dict[str, NDArray[np.generic]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(_flat(load_file(path)))
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read as safetensors ({error}). Fetch or copy it again.") from error


def _loaded(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(_refusal(path, str(error))) from error
    except MemoryError:
        raise
    except Exception as error:  # the safe unpickler lets errors of any kind through where a file is damaged
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UserError(f"'{path}' cannot be read as weights of PyTorch ({reason}). Fetch or copy it again.") from error


def _refusal(path: Path, reason: str) -> str:
    """Say why a file is not opened: it may be sound, but holds objects."""
    named = re.search(r"GLOBAL ([\w.]+)", reason)
    objects = named[1] if named else "the file does not say which"
    return (
        f"'{path}' holds Python objects ({objects}), not weights alone. The file may be harmless, but opening such "
        f"objects can run any program, so it was not opened. {_WAY_OUT}"
    )


def _flat(content: object, prefix: str = "") -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Yield tensors and numbers with their dotted names."""
    if isinstance(content, Tensor):
        yield prefix, _array(content)
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        yield prefix, np.asarray(content)
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(content, (list, tuple)):
        for number, value in enumerate(content):
            yield from _flat(value, f"{prefix}.{number}" if prefix else str(number))


def _array(tensor: Tensor) -> NDArray[np.generic]:
    """Return a tensor as an array, in float32 if it has less precision."""
    tensor = tensor.detach().cpu()
    array: NDArray[np.generic] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array
