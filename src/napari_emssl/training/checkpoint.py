"""The autosave: the file a training run is resumed from."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..atomic_files import replacing
from ..errors import UserError
from ..jobs.settings import Settings
from .learner import BatchT, State, TrainingSchedule

AUTOSAVE_FORMAT = 2
_BEST_FIELDS = {"score", "step", "weights", "metrics"}
_RESTART = "Leave out --resume to start from the beginning."
_RANDOM_STATE = (torch.uint8, torch.get_rng_state().shape)
MAY_CHANGE = frozenset(
    {
        "steps", "epochs", "max_seconds", "validation_interval", "autosave_seconds", "workers", "device", "precision",
        "threads",
    }
)  # fmt: skip
"""Settings that may differ in a resumed run: how long, how often to validate and save, and on what machine."""


def write_autosave(path: Path, content: State) -> None:
    """Write tensors and plain values; the file that was there stays until the new one is complete and on the disk.

    Raises
    ------
    UserError, RuntimeError
        When the file cannot be written; torch reports a full disk as a RuntimeError.

    """
    with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        torch.save(dict(content), file)
        file.flush()
        os.fsync(file.fileno())  # or a power cut after the renaming leaves an empty file in place of both


def read_autosave(path: Path, kind: str) -> State:
    """Read an autosave with ``weights_only=True``; raises `UserError` when it is none or of another kind of job."""
    if not path.is_file():
        raise UserError(f"There is no autosave '{path}' to resume from. {_RESTART}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch does not compare the checksums that it writes
        if damaged is not None:
            raise ValueError(f"checksum of {damaged}")
        saved: State = torch.load(path, map_location="cpu", weights_only=True)
        found, version = saved["kind"], saved["format"]
        if not isinstance(found, str) or not isinstance(version, int):
            raise TypeError("kind or format")
    except Exception as error:  # the safe unpickler lets errors of many kinds through when a file is damaged
        raise UserError(f"'{path}' is not an autosave or is damaged ({type(error).__name__}). {_RESTART}") from error
    if found != kind:
        raise UserError(f"'{path}' is the autosave of another kind of job ({found}, not {kind}). {_RESTART}")
    if version != AUTOSAVE_FORMAT:
        raise UserError(
            f"'{path}' was written by another version of this program (format {version}, not {AUTOSAVE_FORMAT}). "
            "Resume it with that version, or leave out --resume to start from the beginning."
        )
    _check_fields(path, saved)
    return saved


def _check_fields(path: Path, saved: State) -> None:
    """Raise `UserError` where an autosave lacks something, or holds what no run writes."""
    best = saved.get("best")
    sound = (
        isinstance(saved.get("settings"), dict)
        and _is_plain(saved["settings"])
        and isinstance(saved.get("data"), str)
        and isinstance(saved.get("data_digest", ""), str)
        and isinstance(saved.get("start_digest", ""), str)
        and _is_count(saved.get("step"))
        and isinstance(saved.get("validated_at"), int)
        and _is_duration(saved.get("seconds"))
        and _is_duration(saved.get("beside_steps", 0.0))
        and _is_count(saved.get("in_vain", 0))
        and isinstance(saved.get("random"), Tensor)
        and (saved["random"].dtype, saved["random"].shape) == _RANDOM_STATE
        and isinstance(saved.get("learner"), dict)
        and _is_count(saved["learner"].get("step", 0))
        and "best" in saved
        and (best is None or _is_best(best))
    )
    if not sound:
        raise UserError(f"'{path}' is no autosave that this program wrote, or is damaged. {_RESTART}")
    if not all_finite(saved["learner"]) or not all_finite(best):
        raise UserError(f"The weights in '{path}' are not finite: that training had diverged. {_RESTART}")


def _is_plain(value: object) -> bool:
    """Whether a value is one that settings may have: no tensor, however deep."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if isinstance(value, list | tuple) else not isinstance(value, Tensor)


def _is_best(best: object) -> bool:
    return (
        isinstance(best, dict)
        and set(best) == _BEST_FIELDS
        and _is_count(best["step"])
        and isinstance(best["score"], int | float)
        and isinstance(best["weights"], dict)
        and isinstance(best["metrics"], dict)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in best["weights"].items())
        and all(isinstance(name, str) and isinstance(value, int | float) for name, value in best["metrics"].items())
    )


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1e12


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15


def check_weights(path: Path, saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raise `UserError` unless weights are those of the network that is trained, by names and shapes.

    Parameters
    ----------
    path
        The autosave that they are from, for the message.
    saved
        The weights in it.
    own
        Those of the network.

    """
    if {name: tensor.shape for name, tensor in saved.items()} != {name: own[name].shape for name in own}:
        raise UserError(f"The weights in '{path}' are not those of this network. {_RESTART}")


def load_optimiser(optimiser: torch.optim.Optimizer, saved: State) -> None:
    """Restore what an optimiser remembers of each weight; its rates are those of the settings.

    Raises
    ------
    UserError
        When it remembers other weights.

    """
    optimiser.load_state_dict({**saved, "param_groups": optimiser.state_dict()["param_groups"]})
    for group in optimiser.param_groups:
        for weights in group["params"]:
            remembered = [value for value in optimiser.state.get(weights, {}).values() if value.ndim]
            if any(value.shape != weights.shape for value in remembered):
                raise UserError(f"The autosave belongs to another network. {_RESTART}")


def require_same_run(path: Path, saved: Mapping[str, object], settings: Settings) -> None:
    """Raise `UserError` that names every setting, beside those of `MAY_CHANGE`, that is not as it was.

    Parameters
    ----------
    path
        The autosave, for the message.
    saved
        The settings in it, as plain values.
    settings
        Those of the run that resumes.

    """
    now = settings.model_dump(mode="json")
    then = {name: saved.get(name, field.default) for name, field in type(settings).model_fields.items()}
    other = [name for name in now if name not in MAY_CHANGE and now[name] != then[name]]
    if other:
        different = ", ".join(
            f"--{name.replace('_', '-')} {_shown(then[name])} (now {_shown(now[name])})" for name in other
        )
        raise UserError(
            f"'{path}' belongs to a run with other settings: {different}. "
            "Give the settings of that run to resume it, or leave out --resume to start from the beginning."
        )


def check_basis(path: Path, saved: Mapping[str, object], schedule: TrainingSchedule[BatchT]) -> list[str]:
    """Check that a run is resumed with the start and the data that it had; autosaves of earlier versions say less.

    Parameters
    ----------
    path
        The autosave, for messages.
    saved
        Its content.
    schedule
        Of the run that resumes.

    Returns
    -------
    list of str
        A sentence where the data are others and that is no mistake, such as more images.

    Raises
    ------
    UserError
        When the start is another one, or the data are where that is a mistake.

    """
    then, now = saved.get("start_digest"), schedule.start_digest
    if then and now and then != now:
        raise UserError(
            f"'{path}' belongs to a run that began with other weights. Give the same start to resume it, or leave out "
            "--resume to start from the beginning."
        )
    digest = saved.get("data_digest")
    changed = bool(digest and schedule.data_digest) and digest != schedule.data_digest
    if changed and schedule.only_same_data:
        raise UserError(f"'{path}' belongs to a run on other images or targets. Delete it to start from the beginning.")
    if saved["data"] != schedule.data:
        return [f"The data are not those of the run that was saved. Then: {saved['data']} Now: {schedule.data}"]
    return ["The pixels of images or targets are not those of the run that was saved."] if changed else []


def all_finite(content: object) -> bool:
    """Whether no tensor in nested dicts and lists holds NaN or an infinity."""
    if isinstance(content, Tensor):
        return bool(torch.isfinite(content).all())
    if isinstance(content, Mapping):
        return all(map(all_finite, content.values()))
    return all(map(all_finite, content)) if isinstance(content, list | tuple) else True


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)
