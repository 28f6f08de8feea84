"""SHA-256 digests of what the two parts of `same_results.py` made: arrays, models, tables, images, folders.

A result is a dict of parts: a name (``weights conv.weight``, ``card history[0].metrics.dice``) and a digest. What
differs from run to run by nature is left out: dates, seconds, versions, paths, command lines.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Parts = dict[str, str]
LEFT_OUT = {
    "card", "command", "date", "file", "images_per_second", "path", "seconds", "trained", "version", "versions",
}  # fmt: skip
"""Keys of JSON objects and columns of CSV tables that tell when, where and how quickly something was made.

``card`` stands in the record of a result on disk: a checksum of the model's card, and so of the date in it.
"""


def digest(content: bytes | str) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def of_array(array: Any) -> str:
    """Return the digest of an array: its type, shape and bytes."""
    array = np.ascontiguousarray(array)
    return digest(f"{array.dtype.str} {array.shape}".encode() + array.tobytes())


def of_json(content: Any, prefix: str = "") -> Parts:
    """Return one part for each value of a JSON document."""
    return {f"{prefix}{name}": digest(json.dumps(value)) for name, value in _leaves(content, "")}


def _leaves(content: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict) and content:
        for key, value in content.items():
            if key not in LEFT_OUT:
                yield from _leaves(value, f"{at}.{key}" if at else str(key))
    elif isinstance(content, list) and any(isinstance(value, dict | list) for value in content):
        for number, value in enumerate(content):
            yield from _leaves(value, f"{at}[{number}]")
    else:
        yield at, content


def of_lines(path: Path) -> Parts:
    """Return one part for each line of a file of JSON lines."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {f"line {number}": digest(json.dumps(list(_leaves(line, "")))) for number, line in enumerate(lines)}


def of_csv(path: Path) -> Parts:
    """Return one part for each column of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    names = {number: name for number, name in enumerate(header) if name not in LEFT_OUT}
    return {f"column {name}": digest(json.dumps([row[number] for row in rows])) for number, name in names.items()}


def of_model(path: Path) -> Parts:
    """Return one part for each tensor of a model file, as it is stored, and for each value of its card."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        weights = {f"weights {name}": of_array(file.get_tensor(name)) for name in sorted(file.keys())}
        cards = {key: json.loads(text) for key, text in (file.metadata() or {}).items() if text.startswith("{")}
    return weights | of_json(next(iter(cards.values())) if len(cards) == 1 else cards, "card ")


def of_tiff(path: Path) -> Parts:
    """Return the pixels of a TIFF file, and the whole file with the pixel size in it."""
    import tifffile

    return {"pixels": of_array(tifffile.imread(path)), "file": digest(path.read_bytes())}


def of_zarr(path: Path) -> Parts:
    """Return every array of a zarr group, with its attributes and those of the group."""
    import zarr

    root = zarr.open(path, mode="r")
    parts = of_json(dict(root.attrs), "attributes ")
    if isinstance(root, zarr.Array):
        return parts | {"pixels": of_array(root[...])}
    return parts | {f"{name} {part}": value for name in root for part, value in of_zarr(path / name).items()}


_KINDS = {
    ".csv": of_csv,
    ".json": lambda path: of_json(json.loads(path.read_text("utf-8"))),
    ".jsonl": of_lines,
    ".safetensors": of_model,
    ".tif": of_tiff,
    ".tiff": of_tiff,
    ".zarr": of_zarr,
}


def of_path(path: Path) -> Parts:
    """Return the parts of a file by its kind, or of all files in a folder; pictures of curves are left out."""
    if path.suffix in _KINDS:
        return _KINDS[path.suffix](path)
    if not path.is_dir():
        return {"file": digest(path.read_bytes())}
    inside = sorted(each for each in path.iterdir() if each.name != "curves.png" and not each.name.startswith("."))
    return {f"{each.name} {part}": value for each in inside for part, value in of_path(each).items()}


def of_layer(layer: Any) -> Parts:
    """Return what a napari layer shows, where it lies, what made it, and its table of features."""
    parts = {"kind": digest(type(layer).__name__), "data": of_array(layer.data)}
    parts |= {name: of_array(getattr(layer, name)) for name in ("scale", "translate")}
    parts["units"] = digest(str(layer.units))
    if getattr(layer, "features", None) is not None:
        parts |= {
            f"feature {name}": digest(json.dumps(list(layer.features[name]), default=str)) for name in layer.features
        }
    return parts | of_json(json.loads(json.dumps(layer.metadata.get("napari_emssl", {}), default=str)), "metadata ")
