"""An array whose planes are computed when they are viewed, and kept while there is room."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..threads.newest import NewestWins

ROOM_BYTES = 500_000_000
_IDLE_SECONDS = 30.0

Index = tuple[int, ...]
Compute = Callable[[Index], NDArray[np.generic]]
KeyPart = int | slice | EllipsisType
Key = KeyPart | tuple[KeyPart, ...]
"""What it can be indexed with."""
_Answer = Exception | None
"""Why a plane could not be computed; None: it is there."""


def _nothing(*_: object) -> None:
    return None


class LazyPlanes:
    """Array ``(..., h, w)``: the main thread, which draws, never waits and sees 0 until a plane is there.

    Every other thread, and ``np.asarray`` (saving, say) in any, waits until what it asks for is computed. Made in the
    main thread.

    Parameters
    ----------
    shape, dtype
        Of the array.
    compute
        Returns the plane at an index; called in a thread, one call at a time. Without it planes stay 0 unless `put`.
    room_bytes
        Planes of up to this many bytes are kept, at least one; the least recently used are dropped.
    changed
        Called in the main thread when a plane came that was asked for there.
    failed
        Called in the main thread with the exception that a plane ended with; it is not tried again.
    release
        Called from a thread when nothing was computed in a while, and by `close`.

    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        compute: Compute | None = None,
        room_bytes: int = ROOM_BYTES,
        changed: Callable[[], None] = _nothing,
        failed: Callable[[Exception], None] = _nothing,
        release: Callable[[], None] = _nothing,
    ) -> None:
        self.shape, self.dtype, self.ndim = tuple(shape), np.dtype(dtype), len(shape)
        self.size = int(np.prod(shape, dtype=int))
        self._compute, self._changed, self._failed, self._release = compute, changed, failed, release
        self._numbers = np.arange(int(np.prod(shape[:-2], dtype=int))).reshape(shape[:-2])
        self._most = max(1, room_bytes // (shape[-2] * shape[-1] * self.dtype.itemsize)) if compute else self.size
        self._known: OrderedDict[int, NDArray[np.generic]] = OrderedDict()
        self._bad: set[int] = set()
        self._wanted: list[int] = []
        """What the main thread waits for."""
        self._lock = threading.Lock()
        self._computing = threading.Lock()
        self._rest: threading.Timer | None = None
        self._newest: NewestWins[list[int], _Answer] | None = None
        self.closed = False
        self.awake = True
        """False while a layer is made, which looks at the first plane whatever is in view."""
        if compute is not None:
            self._newest = NewestWins(self._computed)
            self._newest.answered.connect(self._tell)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Key) -> NDArray[np.generic]:
        numbers, rest = self._split(key)
        if threading.current_thread() is not threading.main_thread():
            return self._gathered(numbers, rest, self._waited_for)
        self._want(numbers.ravel()[: self._most])
        return self._gathered(numbers, rest, self._remembered)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return self._gathered(self._numbers, (), self._waited_for).astype(dtype or self.dtype, copy=False)

    def put(self, index: Index, plane: NDArray[np.generic]) -> None:
        """Set a plane that was computed elsewhere."""
        self._remember(int(self._numbers[index]), np.asarray(plane, self.dtype))

    @property
    def done(self) -> int:
        """Planes that are remembered."""
        return len(self._known)

    def close(self) -> None:
        """Stop computing; called in the main thread."""
        self.closed, newest = True, self._newest
        if newest is not None:
            newest.close()
        # the thread may be the last to hold this array, and must not delete objects of Qt
        self._newest, self._changed, self._failed = None, _nothing, _nothing
        self._stop_rest()
        self._release()

    def _split(self, key: Key) -> tuple[NDArray[np.intp], tuple[KeyPart, ...]]:
        """Numbers of the planes that a key (integers, slices, an ellipsis) asks for, and the key within a plane."""
        parts = key if isinstance(key, tuple) else (key,)
        where = [i for i, part in enumerate(parts) if part is Ellipsis]
        if where:
            gap = (slice(None),) * (self.ndim - len(parts) + 1)
            parts = (*parts[: where[0]], *gap, *parts[where[0] + 1 :])
        leading = self.ndim - 2
        return np.asarray(self._numbers[parts[:leading]]), parts[leading:]

    def _gathered(
        self, numbers: NDArray[np.intp], rest: tuple[KeyPart, ...], get: Callable[[int], NDArray[np.generic] | None]
    ) -> NDArray[np.generic]:
        blank = np.broadcast_to(np.zeros((), self.dtype), self.shape[-2:])[rest]
        result = np.zeros((*numbers.shape, *np.shape(blank)), self.dtype)
        for place in np.ndindex(numbers.shape):
            plane = get(int(numbers[place]))
            if plane is not None:
                result[place] = plane[rest]
        return result

    def _want(self, numbers: NDArray[np.intp]) -> None:
        """Have planes computed; those that were wanted before and not any more are given up."""
        if self._newest is None:
            return
        with self._lock:
            known = {*self._known, *self._bad}
        before, self._wanted = self._wanted, [int(n) for n in numbers if int(n) not in known] if self.awake else []
        if not self._wanted:
            self._newest.drop()
        elif self._wanted != before or not self._newest.busy:
            self._newest.ask(self._wanted)

    def _tell(self, error: _Answer) -> None:
        if error is None:
            self._changed()
        else:
            self._failed(error)

    def _computed(self, numbers: Sequence[int]) -> Iterator[_Answer]:
        """Compute one plane after another and report how it went; in the thread."""
        for number in numbers:
            try:
                self._waited_for(number)
            except Exception as error:  # whatever the plane ended with: the others are tried
                self._bad.add(number)
                yield error
            else:
                yield None

    def _waited_for(self, number: int) -> NDArray[np.generic] | None:
        """Compute a plane here and now unless it is there; raises what computing it does."""
        plane = self._remembered(number)
        if plane is not None or self._compute is None or self.closed:
            return plane
        self._stop_rest()
        with self._computing:
            plane = self._remembered(number)
            if plane is None:
                plane = self._fresh(number, self._compute)
        self._rest_soon()
        return plane

    def _fresh(self, number: int, compute: Compute) -> NDArray[np.generic]:
        index = tuple(int(i) for i in np.unravel_index(number, self.shape[:-2])) if self.ndim > 2 else ()
        plane = np.asarray(compute(index), self.dtype)
        self._remember(number, plane)
        return plane

    def _remembered(self, number: int) -> NDArray[np.generic] | None:
        with self._lock:
            if number in self._known:
                self._known.move_to_end(number)
            return self._known.get(number)

    def _remember(self, number: int, plane: NDArray[np.generic]) -> None:
        with self._lock:
            self._known[number] = plane
            self._known.move_to_end(number)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def _rest_soon(self) -> None:
        """Release what computes when nothing more is computed for a while."""
        with self._lock:
            if self._rest is not None:
                self._rest.cancel()
            if self.closed:
                return
            self._rest = threading.Timer(_IDLE_SECONDS, self._release_idle)
            self._rest.daemon = True
            self._rest.start()

    def _stop_rest(self) -> None:
        with self._lock:
            if self._rest is not None:
                self._rest.cancel()
            self._rest = None

    def _release_idle(self) -> None:
        with self._computing:  # never while a plane is under way in another thread
            self._release()
