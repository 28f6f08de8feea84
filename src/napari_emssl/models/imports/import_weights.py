"""From a file of weights of another program to a start: what fits, what does not, and the model."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...errors import UserError
from ...formatting import counted
from ..build import network_of, without_memory
from ..model_file import Card, Model, NetworkSpec, Stage
from .mappings import Mapping as NameMapping
from .mappings import Naming, namings
from .state_dict import read_state_dict

_LEAST = 0.25
"""Share of the tensors of an encoder, or of the whole network, below which a file is taken for that of another one."""
_FIRST = {"encoder.conv1.weight": "encoder.bn1.running_mean", "stem.0.0.weight": "stem.0.1.running_mean"}
"""First convolutions that are followed by a norm, and its running mean."""

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class ImportedWeights:
    """A start made of another program's weights, and what became of each tensor."""

    model: Model
    fitting: tuple[str, ...]
    """Names of our tensors that the file has."""
    missing: tuple[str, ...]
    """Names of our tensors that it lacks; fine-tuning draws them at random."""
    misshapen: tuple[str, ...]
    """Of those that it lacks, the ones that it has in another shape, with both shapes."""
    unused: tuple[str, ...]
    """Names in the file that our network has no place for."""
    notes: tuple[str, ...]
    """What was changed on the way, in sentences."""


def import_weights(
    path: Path, spec: NetworkSpec, mapping: NameMapping, name: str, command: str = ""
) -> ImportedWeights:
    """Read a state dict and give its tensors the names of one of our networks.

    Wherever the network is in the file (``state_dict.module.encoder_q.conv1.weight``), it is found: by the beginning of
    names with which most tensors fit.

    Parameters
    ----------
    path
        A state dict of PyTorch or safetensors.
    spec
        The network.
    mapping
        Whose names the file has.
    name
        Of the start.
    command
        The command line, for the card.

    Raises
    ------
    UserError
        When the file cannot be read or is that of another network.

    """
    found = read_state_dict(path)
    with without_memory():
        wanted = {key: tuple(tensor.shape) for key, tensor in network_of(spec).state_dict().items()}
    naming, prefix = _place_of(found, wanted, namings(spec.name, mapping))
    theirs = {own: f"{prefix}{other}" for own in wanted if (other := naming(own)) is not None}
    weights: dict[str, NDArray[np.generic]] = {}
    notes, misshapen = [], []
    for own, other in theirs.items():
        array = found.get(other)
        if array is None:
            continue
        if own in _FIRST and array.ndim == 4 and array.shape[1] > 1 and wanted[own][1] == 1:
            notes.append(f"'{other}' has {array.shape[1]} channels; they are summed, because images are grey.")
            array = np.asarray(array).sum(axis=1, keepdims=True)
        if array.shape == wanted[own]:
            weights[own] = array
        else:
            misshapen.append(f"{own}: {array.shape} in the file, {wanted[own]} here")
    _require_enough(path, spec, mapping, weights, theirs, misshapen, found)
    notes += _with_their_scaling(weights, found)
    missing = tuple(own for own in wanted if own not in weights)
    used = {theirs[own] for own in weights}
    history = Stage(
        job="import", settings={"mapping": mapping, "network": spec.name},
        data={"file": path.name, "names": f"{prefix}*", "fitting": len(weights), "missing": list(missing)},
        versions={"napari-emssl": __version__}, date=datetime.now(UTC).isoformat(timespec="seconds"), command=command,
    )  # fmt: skip
    card = Card(name=name, task="reconstruct", network=spec, history=(history,), partial=bool(missing))
    unused = tuple(other for other in found if other not in used)
    return ImportedWeights(Model(card, weights), tuple(weights), missing, tuple(misshapen), unused, tuple(notes))


def _place_of(found: Arrays, wanted: Mapping[str, tuple[int, ...]], possible: Iterable[Naming]) -> tuple[Naming, str]:
    """Return the names, and the beginning that they have in the file, with which most tensors are found."""
    best: tuple[int, Naming, str] | None = None
    for naming in possible:
        others = {naming(own) for own in wanted} - {None}
        counts: Counter[str] = Counter()
        for name in found:
            parts = name.split(".")
            for cut in range(len(parts)):
                if ".".join(parts[cut:]) in others:
                    counts["".join(f"{part}." for part in parts[:cut])] += 1
        prefix, count = counts.most_common(1)[0] if counts else ("", 0)
        if best is None or count > best[0]:
            best = count, naming, prefix
    assert best is not None, "there is always a way to name things"
    return best[1], best[2]


def _require_enough(
    path: Path, spec: NetworkSpec, mapping: NameMapping, weights: Arrays, theirs: Mapping[str, str],
    misshapen: list[str], found: Arrays,
) -> None:  # fmt: skip
    if len(weights) >= _LEAST * len(theirs):
        return
    begin = f"'{path}' was read, but it is no {spec.name} by the names of the mapping '{mapping}'"
    if misshapen:
        raise UserError(
            f"{begin}: the shapes of {counted(len(misshapen), 'tensor')} differ, first that of {misshapen[0]}. "
            "Choose another --network or --width."
        )
    raise UserError(
        f"{begin}: {len(weights)} of {len(theirs)} tensors are there. It should have '{next(iter(theirs.values()))}'; "
        f"it has '{next(iter(found))}'. Choose another --network or --mapping."
    )


def _with_their_scaling(weights: dict[str, NDArray[np.generic]], found: Arrays) -> list[str]:
    """Take the mean and deviation that a file says its images were scaled by into the first layers.

    Our images are scaled to about [0, 1]; theirs were ``(image - mean) / deviation``. A convolution of the latter is
    one of the former with weights / deviation, less a constant, which the norm behind it can subtract.
    """
    mean, deviation = (_mean_of(found, f"norms.{name}") for name in ("mean", "std"))
    first = next((name for name in _FIRST if name in weights and _FIRST[name] in weights), None)
    if first is None or not np.isfinite(mean) or not deviation > 0:
        return []
    convolution = np.asarray(weights[first], np.float32) / np.float32(deviation)
    weights[first] = convolution
    weights[_FIRST[first]] = np.asarray(weights[_FIRST[first]], np.float32) + mean * convolution.sum(axis=(1, 2, 3))
    return [
        f"Its images were scaled by mean {mean:.4g} and deviation {deviation:.4g}; this is now built into the first "
        "layers."
    ]


def _mean_of(found: Arrays, name: str) -> float:
    """Mean of a number of a file, or of those of its channels; NaN where it has none."""
    values = [
        float(array) for key, array in found.items() if (key == name or key.startswith(f"{name}.")) and not array.ndim
    ]
    return sum(values) / len(values) if values else float("nan")
