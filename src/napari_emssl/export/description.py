"""The description of a package: the fields of a model in the format 0.5 of bioimage.io."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import torch

from .. import __version__
from ..checksums import sha256_of
from ..errors import UserError
from ..models.model_file import Card
from ..models.package import MODEL_FILE
from ..models.tasks import TaskName, task_of
from .credits import Credits, citations
from .portable import OPSET
from .readme import summary
from .tensors import Fields, Grid, input_tensor, output_tensor

FORMAT_VERSION = "0.5.4"
"""Of the description. Nothing later is used, so that programs that know no later one read it."""
_TASK_TAG: dict[TaskName, str] = {
    "reconstruct": "image-reconstruction",
    "segment": "semantic-segmentation",
    "denoise": "denoising",
    "remove-background": "image-restoration",
    "super-resolve": "image-restoration",
}
"""By task, in the words of bioimage.io."""
_LONGEST_DESCRIPTION, _LONGEST_NAME, _SHORTEST_NAME = 512, 64, 5


@dataclass(frozen=True)
class PackageFiles:
    """The files of a package but for its description, all in one folder."""

    folder: Path
    torchscript: Path = Path("weights-torchscript.pt")
    onnx: Path = Path("weights.onnx")
    model: Path = Path(MODEL_FILE)
    readme: Path = Path("README.md")
    cover: Path = Path("cover.png")
    sample_in: Path = Path("sample_input.npy")
    sample_out: Path = Path("sample_output.npy")

    def describe(self, file: Path) -> Fields:
        """Name a file and its checksum."""
        return {"source": str(file), "sha256": sha256_of(self.folder / file)}


def describe(card: Card, grid: Grid, parties: Credits, files: PackageFiles) -> Fields:
    """Return the description of a package.

    Parameters
    ----------
    card
        Of the model.
    grid
        Of its network.
    parties
        Authors, licence, citations.
    files
        What the package is made of; all of them are there.

    """
    licence = licence_of(card, parties)
    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": _name(card),
        "description": summary(card)[:_LONGEST_DESCRIPTION],
        "authors": [_without_none(vars(author)) for author in parties.authors],
        "cite": [vars(item) for item in citations(card, parties.citations)],
        **({"license": licence} if licence else {}),
        "tags": _tags(card),
        "covers": [files.describe(files.cover)],
        "documentation": files.describe(files.readme),
        "attachments": [files.describe(files.model)],
        "inputs": [input_tensor(card.scaling, grid, files.describe(files.sample_in))],
        "outputs": [output_tensor(card, grid, files.describe(files.sample_out))],
        "weights": _weights(files),
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": _config(card),
    }


def licence_of(card: Card, parties: Credits) -> str | None:
    """Return the licence of a package: as asked, or the card's, or None where that is in no list.

    Raises
    ------
    UserError
        When one was asked that is no identifier of the SPDX list.

    """
    known = _licences()
    if parties.licence is None:
        return card.licence if card.licence in known else None
    found = {name.lower(): name for name in known}.get(parties.licence.lower())
    if found is None:
        raise UserError(
            f"'{parties.licence}' is not in the SPDX list of licences (https://spdx.org/licenses). "
            "Write it as there, for example CC-BY-4.0, CC0-1.0, MIT or BSD-3-Clause."
        )
    return found


def _licences() -> tuple[str, ...]:
    from bioimageio.spec.generic.v0_3 import LicenseId

    return get_args(LicenseId.root_model.model_fields["root"].annotation)


def _name(card: Card) -> str:
    """Return the model's name without signs that the format forbids, and not too short."""
    name = re.sub(r"[^A-Za-z0-9_+() -]", "-", card.name)[:_LONGEST_NAME]
    return name if len(name) >= _SHORTEST_NAME else f"{name} (napari-emssl)"


def _tags(card: Card) -> list[str]:
    network = card.network.name
    kind = ["unet"] if network.startswith("unet") else ["hrnet"]
    context = ["in-context"] if card.network.painted else []
    return [
        "electron-microscopy", "2d", "pytorch", _TASK_TAG[card.task], *kind, network, *context,
        "self-supervised-learning", "napari", "napari-emssl",
    ]  # fmt: skip


def _weights(files: PackageFiles) -> Fields:
    version = torch.__version__.partition("+")[0]
    traced: Fields = {"pytorch_version": version, "comment": "Traced, for any height and width."}
    return {
        "torchscript": files.describe(files.torchscript) | traced,
        "onnx": files.describe(files.onnx) | {"opset_version": OPSET, "parent": "torchscript"},
    }


def _config(card: Card) -> Fields:
    """Say beside the fields of the format what this program knows of the model."""
    labels = task_of(card.task).gives_labels
    common: Fields = {
        "architecture_type": card.network.name,
        "modality": "electron microscopy",
        "task": _TASK_TAG[card.task],
        "target_structure": [item.name for item in card.classes[1:]] if labels else [],
    }
    known = card.model_dump(mode="json", include={"task", "network", "scaling", "pixel_size_nm", "upscale"})
    return {"bioimageio": common, "napari_emssl": {"version": __version__, **known}}


def _without_none(fields: Mapping[str, object]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
