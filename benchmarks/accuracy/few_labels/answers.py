"""What an answer to a painting is, and where answers that cost much and never change are kept."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_emssl.atomic_files import replacing

from .micrographs import Trial

Probabilities = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found on one micrograph."""

    labels: NDArray[np.uint8]
    """``(h, w)``: 0 background, 1.. classes."""
    seconds: float
    """Of processor time, learning from the paint included."""
    probabilities: Probabilities
    """``(classes, h, w)``, background first."""

    @classmethod
    def of(cls, probabilities: Probabilities, seconds: float) -> "Answer":
        """Return the answer with the most probable classes."""
        return cls(probabilities.argmax(0).astype(np.uint8), seconds, probabilities)


class Column(Protocol):
    """One way of answering."""

    @property
    def name(self) -> str:
        """What stands above its figures."""

    def answers(self, trial: Trial) -> list[Answer]:
        """Return an answer for each micrograph that is judged."""


class Remembered:
    """A column that is asked once for each trial, however many others build on it.

    Parameters
    ----------
    column
        Whose answers are remembered until the next trial.

    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self._trial: Trial | None = None
        self._answers: list[Answer] = []

    @property
    def name(self) -> str:
        """The column's."""
        return self._column.name

    def answers(self, trial: Trial) -> list[Answer]:
        """Return the answers, those of before where the trial is the same."""
        if self._trial is not trial:
            self._trial, self._answers = trial, self._column.answers(trial)
        return self._answers


def coarse(probabilities: Probabilities) -> Probabilities:
    """Round the probabilities of all classes but the background to 255ths, as they are kept; all add up to 1."""
    # halves go down: of two classes, exactly those above 0.5 stay above it
    return _with_background(np.ceil(255 * probabilities[1:] - np.float32(0.5)) / np.float32(255))


def _with_background(classes: Probabilities) -> Probabilities:
    """Return the probabilities of all classes, of those of all but the background."""
    return np.concatenate([1 - classes.sum(0, keepdims=True), classes]).astype(np.float32)


class AnswerCache:
    """Answers on disk, by what they depend on.

    Parameters
    ----------
    folder
        Where they are; None keeps nothing.

    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def path(self, *parts: NDArray[np.generic] | str) -> Path | None:
        """Return the file of what depends on these arrays and words."""
        if self._folder is None:
            return None
        key = hashlib.blake2b(digest_size=16)
        for part in parts:
            if isinstance(part, str):
                key.update(part.encode())
            else:
                key.update(f"{part.dtype.str}{part.shape}".encode())
                key.update(np.ascontiguousarray(part).data)
        return self._folder / f"{key.hexdigest()}.npz"

    def read(self, path: Path | None) -> Answer | None:
        """Return an answer that is kept."""
        if path is None or not path.exists():
            return None
        with np.load(path) as stored:
            classes, seconds = stored["levels"] / np.float32(255), float(stored["seconds"])
        return Answer.of(_with_background(classes), seconds)

    def write(self, path: Path | None, answer: Answer) -> None:
        """Keep an answer, its probabilities in 8 bits."""
        if path is None:
            return
        levels = np.rint(255 * answer.probabilities[1:]).astype(np.uint8)
        with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, levels=levels, seconds=answer.seconds)
