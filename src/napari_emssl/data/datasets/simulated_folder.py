"""The folder of a simulation: images with their truth, and how they were made; an earlier one stays until the end."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ...atomic_files import hidden_name, move, remove, sweep_once, write_text
from ...errors import UserError

_RECORD = "settings.json"


@dataclass(frozen=True)
class SimulationRecord:
    """How the images of a folder were made, as it stands in ``settings.json``."""

    simulate: str
    """``hrtem``, ``stem`` or ``collage``."""
    count: int
    seed: int
    settings: Mapping[str, object]
    """Every setting, as JSON can hold them."""


@contextmanager
def simulated_folder(
    folder: Path, names: Sequence[str], ours: str, record: SimulationRecord, overwrite: bool
) -> Iterator[Path]:
    """Yield the folder to write a simulation to.

    With images of an earlier one in `folder` that is a hidden folder in it. When the block ends, also when the iterator
    that it is part of is closed, the new images take the place of the earlier ones; after an error these are as before.

    Parameters
    ----------
    folder, names
        The folder of the simulation, and its sub-folders.
    ours
        Pattern of the file names that a simulation gives; other files stay.
    record
        How the images are made.
    overwrite
        Whether an earlier simulation may be replaced.

    Raises
    ------
    UserError
        If there are files in a sub-folder and `overwrite` is false, or a file cannot be written.

    """
    sweep_once(folder)
    there = [path for name in names if (folder / name).is_dir() for path in sorted((folder / name).iterdir())]
    if there and not overwrite:
        raise UserError(f"{folder} holds images already ({there[0]}). Choose another folder, or allow overwriting.")
    text = json.dumps(asdict(record), indent=2) + "\n"
    earlier = [path for path in there if re.fullmatch(ours, path.name)]
    if not earlier:
        write_text(folder / _RECORD, text, overwrite)
        yield folder
        return
    beside = hidden_name(folder / "simulation")
    try:
        write_text(beside / _RECORD, text, overwrite)
        try:
            yield beside
        except GeneratorExit:
            _take_place(beside, folder, earlier)
            raise
        _take_place(beside, folder, earlier)
    finally:
        remove(beside)


def _take_place(beside: Path, folder: Path, earlier: Sequence[Path]) -> None:
    """Move everything out of a folder into another; of an earlier simulation what has no successor goes."""
    made = sorted(path.relative_to(beside) for path in beside.glob("*/*"))
    try:
        for path in made:
            (folder / path).parent.mkdir(exist_ok=True)
            move(beside / path, folder / path)
        for path in set(earlier) - {folder / new for new in made}:
            path.unlink(missing_ok=True)
        move(beside / _RECORD, folder / _RECORD)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror or error}). Choose another folder.") from error
