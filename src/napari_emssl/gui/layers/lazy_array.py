"""An array whose planes are computed when they are looked at, and remembered while there is room. No Qt."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOM_BYTES = 500_000_000
_IDLE_SECONDS = 30.0

Compute = Callable[[tuple[int, ...]], NDArray[Any]]


class LazyPlanes:
    """Array ``(..., h, w)``: the main thread, which draws, never waits and sees 0 until a plane is there.

    Every other thread, and ``np.asarray`` (saving, say) in any, waits until what it asks for is computed.

    Parameters
    ----------
    shape, dtype
        Of the array.
    compute
        Returns the plane at an index; called in a thread, one call at a time. Without it planes stay 0 unless `put`.
    room_bytes
        Planes of so many bytes are remembered, at least one; the ones longest unused are forgotten.
    changed
        Called from a thread, with this array, when a plane came that the main thread had asked for.
    failed
        Called from a thread, with this array and the exception that a plane ended with; it is not tried again.
    release
        Called from a thread when nothing was asked for in a while, and by `close`.

    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        compute: Compute | None = None,
        room_bytes: int = ROOM_BYTES,
        changed: "Callable[[LazyPlanes], None]" = lambda planes: None,
        failed: "Callable[[LazyPlanes, Exception], None]" = lambda planes, error: None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.shape, self.dtype, self.ndim = tuple(shape), np.dtype(dtype), len(shape)
        self.size = int(np.prod(shape, dtype=int))
        self._compute, self._changed, self._failed, self._release = compute, changed, failed, release
        self._numbers = np.arange(int(np.prod(shape[:-2], dtype=int))).reshape(shape[:-2])
        self._most = max(1, room_bytes // (shape[-2] * shape[-1] * self.dtype.itemsize)) if compute else self.size
        self._known: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._bad: set[int] = set()
        self._wanted: list[int] = []
        self._news = threading.Condition()
        self._computing = threading.Lock()
        self._working = self.closed = False
        self.awake = True
        """False while a layer is made, which looks at the first plane whatever is in view."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        numbers, rest = self._split(key)
        if threading.current_thread() is not threading.main_thread():
            return self._gathered(numbers, rest, self._waited_for)
        self._want(numbers.ravel()[: self._most])
        return self._gathered(numbers, rest, self._remembered)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self._gathered(self._numbers, (), self._waited_for).astype(dtype or self.dtype, copy=False)

    def put(self, index: tuple[int, ...], plane: NDArray[Any]) -> None:
        """Set a plane that was computed elsewhere."""
        self._remember(int(self._numbers[index]), np.asarray(plane, self.dtype))

    @property
    def done(self) -> int:
        """Planes that are remembered."""
        return len(self._known)

    def close(self) -> None:
        """Compute nothing any more."""
        with self._news:
            self.closed, self._wanted = True, []
            self._news.notify_all()
        self._release()

    def _split(self, key: Any) -> tuple[NDArray[np.intp], tuple[Any, ...]]:
        """Numbers of the planes that a key (integers, slices, an ellipsis) asks for, and the key within a plane."""
        parts = key if isinstance(key, tuple) else (key,)
        where = [i for i, part in enumerate(parts) if part is Ellipsis]
        if where:
            gap = (slice(None),) * (self.ndim - len(parts) + 1)
            parts = (*parts[: where[0]], *gap, *parts[where[0] + 1 :])
        leading = self.ndim - 2
        return np.asarray(self._numbers[parts[:leading]]), parts[leading:]

    def _gathered(
        self, numbers: NDArray[np.intp], rest: tuple[Any, ...], get: Callable[[int], NDArray[Any] | None]
    ) -> NDArray[Any]:
        blank = np.broadcast_to(np.zeros((), self.dtype), self.shape[-2:])[rest]
        result = np.zeros((*numbers.shape, *np.shape(blank)), self.dtype)
        for place in np.ndindex(numbers.shape):
            plane = get(int(numbers[place]))
            if plane is not None:
                result[place] = plane[rest]
        return result

    def _remembered(self, number: int) -> NDArray[Any] | None:
        with self._news:
            if number in self._known:
                self._known.move_to_end(number)
            return self._known.get(number)

    def _waited_for(self, number: int) -> NDArray[Any] | None:
        """Compute a plane here and now unless it is there; raises what computing it does."""
        plane = self._remembered(number)
        if plane is not None or self._compute is None or self.closed:
            return plane
        with self._computing:
            plane = self._remembered(number)
            if plane is None:
                plane = self._fresh(number)
        self._start()
        return plane

    def _fresh(self, number: int) -> NDArray[Any]:
        assert self._compute is not None
        index = tuple(int(i) for i in np.unravel_index(number, self.shape[:-2])) if self.ndim > 2 else ()
        plane = np.asarray(self._compute(index), self.dtype)
        self._remember(number, plane)
        return plane

    def _remember(self, number: int, plane: NDArray[Any]) -> None:
        with self._news:
            self._known[number] = plane
            self._known.move_to_end(number)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def _want(self, numbers: NDArray[np.intp]) -> None:
        """Have planes computed; those that were wanted before and not any more are given up."""
        with self._news:
            known = {*self._known, *self._bad}
            idle = self._compute is None or not self.awake
            self._wanted = [] if idle else [int(n) for n in numbers if int(n) not in known]
            self._news.notify_all()
            wanted = bool(self._wanted)
        if wanted:
            self._start()

    def _start(self) -> None:
        with self._news:
            if self._working or self.closed:
                return
            self._working = True
        threading.Thread(target=self._work, daemon=True).start()

    def _next(self) -> int | None:
        """Wait for a plane to do; None when the thread shall end."""
        with self._news:
            self._news.wait_for(lambda: self._wanted or self.closed, timeout=_IDLE_SECONDS)
            if self._wanted and not self.closed:
                return self._wanted[0]
            self._working = False
            return None

    def _work(self) -> None:
        number = self._next()
        while number is not None:
            tell = self._done_or_failed(number)
            with self._news:
                self._wanted = [n for n in self._wanted if n != number]
            if not self.closed:
                tell()
            number = self._next()
        self._release()

    def _done_or_failed(self, number: int) -> Callable[[], None]:
        """Compute a plane unless it is there; return what tells how that went."""
        try:
            with self._computing:
                if self._remembered(number) is None:
                    self._fresh(number)
        except Exception as error:
            self._bad.add(number)
            return partial(self._failed, self, error)
        return partial(self._changed, self)
