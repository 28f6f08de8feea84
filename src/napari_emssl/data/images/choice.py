"""Which image of a file is meant: by name, by number, all of them, or the one that is taken when nobody says."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError

ALL = "all"
_SHOWN = 12


class Choice:
    """Takes one image, or all, from the list that a reader finds in a file, and remembers the list.

    Parameters
    ----------
    path
        The file.
    wanted
        A name (upper and lower case are the same), a number from 1 on, ``all``, or None.
    """

    def __init__(self, path: Path, wanted: str | int | None) -> None:
        self._path, self._wanted = path, wanted
        self._names: list[str] = []
        self.default: int | None = 0
        """Number of the image that is used by default; None where there is no way to choose."""

    def __call__(self, names: Sequence[str], default: int | None) -> Sequence[int]:
        """Return the numbers of the images that are meant.

        Parameters
        ----------
        names
            Of all images in the file, in the order in which they are counted.
        default
            The one that is meant when nobody says; None where that cannot be told.

        Raises
        ------
        UserError
            If there is no such image, or several could be meant.
        """
        self._names, self.default = list(names), default
        if self._wanted == ALL:
            return range(len(names))
        if self._wanted is None:
            if default is None:
                raise UserError(
                    f"{self._path} holds {len(names)} images ({self._listed}), and nothing says which one to use. "
                    "Name one with --image NAME (in Python image=NAME), or save it in a file of its own."
                )
            return [default]
        return [self._find(str(self._wanted).strip())]

    def _find(self, wanted: str) -> int:
        lower = [name.casefold() for name in self._names]
        if wanted and wanted.casefold() in lower:
            return lower.index(wanted.casefold())
        if wanted.isdecimal() and 1 <= int(wanted) <= len(lower):
            return int(wanted) - 1
        held = f"It holds {self._listed}" if any(lower) else "It holds one image, which has no name"
        raise UserError(
            f"{self._path} holds no image '{wanted}'. {held}: name one of these, or give its number, counted from 1."
        )

    @property
    def count(self) -> int:
        """How many images the file holds."""
        return len(self._names)

    @property
    def _listed(self) -> str:
        shown = [f"'{name}'" for name in self._names[:_SHOWN]]
        return ", ".join(shown) + (f" and {len(self._names) - _SHOWN} more" if len(self._names) > _SHOWN else "")

    @property
    def note(self) -> str:
        """A sentence about the other images of the file, where it was not said which to use; else empty."""
        if self._wanted is not None or self.default is None or len(self._names) < 2:
            return ""
        return (
            f"{self._path.name} holds {len(self._names)} images ({self._listed}); '{self._names[self.default]}' is "
            "used. Choose with --image NAME, NUMBER or all."
        )
