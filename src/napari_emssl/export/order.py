"""What is asked of an export and what comes of it; light, so that the docks can import it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .credits import Credits

Missing = Literal["authors", "licence"]


@dataclass(frozen=True)
class PackageOrder:
    """A model that is to be exported as a package of bioimage.io."""

    model: str
    """Its name in the zoo, or its file."""
    folder: Path
    """Where the package is written; it is made, and must be empty if it is there."""
    parties: Credits = field(default_factory=Credits)
    """Authors, licence, citations."""
    sample: Path | None = None
    """An image file to test the package with; None simulates one."""


@dataclass(frozen=True)
class Exported:
    """A package that was written."""

    folder: Path
    difference: float
    """Largest difference between the exported files' results for the sample and the program's own."""
    missing: tuple[Missing, ...]
    """What must still be given before it can be published."""

    def describe(self, places: Mapping[Missing, str]) -> str:
        """Say what was written, what is missing, and where that is given.

        Parameters
        ----------
        places
            What the reader of the sentence calls it: flags in the terminal, fields in the viewer.

        """
        told = (
            f"Wrote {self.folder}: TorchScript and ONNX differ by at most {self.difference:.1g} from the model itself."
        )
        if not self.missing:
            return told
        given = " and ".join(places[each] for each in self.missing)
        return f"{told}\nTo publish it, export it again, to another folder, with {given}."
