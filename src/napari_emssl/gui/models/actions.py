"""What the models dock does to files; called in a worker thread. No Qt."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...checksums import sha256_of
from ...errors import UserError
from ...models.model_file import Storage, read_model, save_model
from ...models.zoo import add_model, curve_file, free_name, remove_model, rename_model
from .rows import ZooRow


@dataclass(frozen=True)
class Imported:
    """Models that were imported."""

    paths: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The last one."""
        return self.paths[-1]

    def describe(self) -> str:
        """Say what was imported."""
        return f"Imported {', '.join(repr(path.stem) for path in self.paths)}."


def import_files(paths: Sequence[Path]) -> Imported:
    """Copy model files into your own models, under a name that is free, with the curves that lie beside them.

    Raises
    ------
    UserError
        When a file is damaged or no model; those before it are there then.

    """
    return Imported(tuple(_import(path) for path in paths))


def _import(path: Path) -> Path:
    model = read_model(path)
    place = add_model(model.renamed(free_name(model.name)))
    curves = path.with_name(f"{path.stem}-pictures") / "curves.csv"
    if curves.is_file():
        with suppress(OSError):
            curve_file(place.stem).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(curves, curve_file(place.stem))
    return place


def export(row: ZooRow, path: Path, storage: Storage) -> str:
    """Write a copy of a model and read it back; a file that is there is replaced.

    Parameters
    ----------
    row
        The model.
    path
        The file; without the ending ``.safetensors`` it gets one.
    storage
        How the weights of convolutions are written.

    Returns
    -------
    str
        A sentence about the file.

    Raises
    ------
    UserError
        When the path is the model itself, or the file cannot be written.

    """
    target = path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")
    source = _path_of(row)
    if target.exists() and target.samefile(source):
        raise UserError(f"'{target}' is the model itself. Choose another file.")
    save_model(read_model(source).renamed(row.name), target, storage=storage)
    read_model(target)
    return f"Wrote {target}: {target.stat().st_size / 1e6:.2f} MB, SHA-256 {sha256_of(target)}."


def rename(row: ZooRow, name: str) -> Path:
    """Rename one of your own models; raises `UserError` when the name is taken or invalid."""
    return rename_model(row.name, name)


def delete(row: ZooRow) -> None:
    """Delete one of your own models; a damaged file may have a name that no model can have."""
    if row.origin != "damaged":
        remove_model(row.name)
        return
    path = _path_of(row)
    try:
        path.unlink()
    except OSError as error:
        raise UserError(f"Cannot remove '{path}': {error.strerror or error}.") from error


def _path_of(row: ZooRow) -> Path:
    if row.path is None:
        raise UserError(f"'{row.name}' is not on this computer yet. Download it first.")
    return row.path
