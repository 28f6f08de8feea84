"""Names for the types of arrays: numbers for computing, and whatever may hold an image."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


class DuckArray(Protocol):
    """An array that may be lazy: numpy, a memory map, dask, zarr, or a file whose planes are read one by one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the values."""

    # numpy, dask and zarr agree neither on the type of an index nor on what comes back: `numpy.asarray` settles that
    def __getitem__(self, index: Any, /) -> Any: ...
