"""The function that a worker process calls, named without being imported here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..events import Job


@dataclass(frozen=True)
class LazyFunction:
    """A reference to a function that returns a `Job`; its module is imported only where it is called."""

    module: str
    name: str
    title: str = "The job"
    """What messages call the job, as ``Training``."""
    light: bool = False
    """Whether the job does without torch: it starts quickly in a new process, and leaves the spare one to others."""

    def load(self) -> Callable[..., Job[object]]:
        """Import the module and return the function."""
        function: Callable[..., Job[object]] = getattr(import_module(self.module), self.name)
        return function

    def __call__(self, *args: object, **kwargs: object) -> Job[object]:
        """Import the module and call the function, here and now."""
        return self.load()(*args, **kwargs)


def reference_to(function: Callable[..., Job[object]]) -> LazyFunction:
    """Return a reference to a function of the top level of a module; a `LazyFunction` is one already."""
    return function if isinstance(function, LazyFunction) else LazyFunction(function.__module__, function.__qualname__)


@dataclass(frozen=True)
class JobRequest:
    """What a worker process is asked to run."""

    function: LazyFunction
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    folder: Path
    """The working folder, to which relative paths in the arguments refer."""
