"""The autosave: the file a training run is resumed from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.images.writers import replacing
from ..errors import UserError
from ..jobs.settings import Settings

AUTOSAVE_FORMAT = 2
MAY_CHANGE = frozenset(
    {"steps", "epochs", "max_seconds", "validation_interval", "autosave_seconds", "workers", "device", "precision"}
)
"""Settings that a resumed run may choose anew: how long, how often to look, and on what machine."""


def write_autosave(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values; the file that was there stays until the new one is complete and on the disk.

    Raises
    ------
    UserError, RuntimeError
        When the file cannot be written; torch tells of a full disk by a RuntimeError.

    """
    with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        torch.save(dict(content), file)
        file.flush()
        os.fsync(file.fileno())  # or a power cut after the renaming leaves an empty file in place of both


def read_autosave(path: Path, kind: str) -> dict[str, Any]:
    """Read an autosave with ``weights_only=True``; raises `UserError` when it is none or of another kind of job."""
    if not path.is_file():
        raise UserError(f"There is no autosave '{path}' to resume from. Leave out --resume to start anew.")
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found, version = saved["kind"], saved["format"]
    except Exception as error:  # the safe unpickler lets errors of many kinds through when a file is damaged
        raise UserError(f"'{path}' is no autosave or is damaged ({type(error).__name__}). Start anew.") from error
    if found != kind:
        raise UserError(f"'{path}' is the autosave of another kind of job ({found}, not {kind}). Start anew.")
    if version != AUTOSAVE_FORMAT:
        raise UserError(
            f"'{path}' was written by another version of this program (format {version}, not {AUTOSAVE_FORMAT}). "
            "Resume it with that version, or start anew."
        )
    return saved


def require_same_run(path: Path, saved: Mapping[str, Any], settings: Settings) -> None:
    """Raise `UserError` that names every setting, beside those of `MAY_CHANGE`, that is not as it was.

    Parameters
    ----------
    path
        The autosave, for the message.
    saved
        The settings in it, as plain values.
    settings
        Those of the run that wants to go on.

    """
    now = settings.model_dump(mode="json")
    then = {name: saved.get(name, field.default) for name, field in type(settings).model_fields.items()}
    other = [name for name in now if name not in MAY_CHANGE and now[name] != then[name]]
    if other:
        told = ", ".join(f"--{name.replace('_', '-')} {_said(then[name])} (now {_said(now[name])})" for name in other)
        raise UserError(
            f"'{path}' belongs to a run with other settings: {told}. "
            "Give the settings of that run to go on, or leave out --resume to start anew."
        )


def all_finite(content: Any) -> bool:
    """Whether no tensor in nested dicts and lists holds NaN or an infinity."""
    if isinstance(content, Tensor):
        return bool(torch.isfinite(content).all())
    if isinstance(content, Mapping):
        return all(map(all_finite, content.values()))
    return all(map(all_finite, content)) if isinstance(content, list | tuple) else True


def _said(value: Any) -> str:
    return "not given" if value is None else str(value)
