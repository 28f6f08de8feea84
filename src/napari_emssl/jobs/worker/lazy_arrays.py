"""Lazy arrays that stay in the viewer's process: the job asks for one plane after the other."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import UserError
from .pickling import LazyArray, Token

WORKERS_NEED_FILES = (
    "Images that the viewer serves plane by plane cannot be read by extra processes. Set workers to 0, "
    "or save the image to a file and start from there."
)


class PlaneRequest(NamedTuple):
    """Which part of which array the job needs."""

    number: int
    key: object
    """An index as numpy takes it."""


class LazyArrayServer:
    """The viewer's side: the lazy arrays that were sent, and what they hold at an index."""

    def __init__(self) -> None:
        self._arrays: list[LazyArray] = []

    def register(self, array: LazyArray) -> Token:
        """Keep an array; return the token that travels in its place."""
        self._arrays.append(array)
        return Token(len(self._arrays) - 1, tuple(int(n) for n in array.shape), np.dtype(array.dtype))

    def read(self, request: PlaneRequest) -> NDArray[np.generic]:
        """Compute or read a part of an array.

        Raises
        ------
        UserError
            When the array cannot be read.

        """
        try:
            array = self._arrays[request.number]
            return np.asarray(array if request.key is ... else array[request.key])
        except Exception as error:
            raise UserError(
                f"The image cannot be read ({type(error).__name__}: {error}). Check its file, then start again."
            ) from error

    def clear(self) -> None:
        """Release all arrays."""
        self._arrays.clear()


class RemoteArray:
    """The job's side: ``array[key]`` is computed in the viewer's process and comes as a numpy array.

    Raises
    ------
    UserError
        When the array cannot be read there.
    ConnectionAbortedError
        When the job was given up.

    """

    def __init__(
        self, read: Callable[[object], NDArray[np.generic]], shape: tuple[int, ...], dtype: np.dtype[np.generic]
    ) -> None:
        self._read = read
        self.shape, self.dtype = shape, dtype
        self.ndim = len(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: object) -> NDArray[np.generic]:
        return self._read(key)

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.asarray(self[...], dtype=dtype)

    def __reduce__(self) -> str:
        raise UserError(WORKERS_NEED_FILES)  # a data loader would pickle it into its own processes
