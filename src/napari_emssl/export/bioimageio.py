"""Export a model as a package of bioimage.io: written and tested in a temporary place, then renamed."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic_files import hidden_name, move, remove, sweep_once
from ..errors import UserError
from ..models.model_file import Model, save_model
from ..models.package import DESCRIPTIONS
from ..models.tasks import task_of
from ..models.zoo import resolve_model
from .cover import write_cover
from .credits import citations
from .description import PackageFiles, describe, licence_of
from .order import Exported, Missing, PackageOrder
from .portable import PortableNetwork, run_onnx, run_torchscript, write_onnx, write_torchscript
from .readme import readme
from .sample import Sample, make_sample
from .tensors import Fields, grid_of

TOLERANCE = 1e-4
"""By how much results of the exported files may differ from the program's own."""
DESCRIPTION = DESCRIPTIONS[0]
_PACKAGES = ("bioimageio.spec", "onnx", "onnxruntime", "yaml")


def export_bioimageio(order: PackageOrder) -> Exported:
    """Write a model as a package of bioimage.io.

    Returns
    -------
    Exported
        The folder, and how well the files in it agree with the program.

    Raises
    ------
    UserError
        When packages of the extra ``export`` are missing, the folder is not empty or cannot be written to, the
        model gives no images, the sample cannot be used, or the licence is none.

    """
    require_packages()
    folder, parties = order.folder, order.parties
    check_empty(folder)
    whole = resolve_model(order.model)
    licence = licence_of(whole.card, parties)
    network = PortableNetwork(whole).eval()
    grid = grid_of(network.stride, network.receptive_field, whole.card.upscale)
    shown = make_sample(whole, grid.sample_edge, order.sample)
    with _quiet_log(), _temporary_beside(folder) as place:
        files = _write_files(place, whole, network, shown)
        difference = _check(files, shown, whole)
        cited = citations(whole.card, parties.citations)
        (place / files.readme).write_text(readme(whole.card, grid, cited, order.sample is None), encoding="utf-8")
        _write_description(
            describe(whole.card, grid, parties, files), place, any(a.github_user for a in parties.authors)
        )
        _move(place, folder)
    given: dict[Missing, bool] = {"authors": bool(parties.authors), "licence": bool(licence)}
    return Exported(folder, difference, tuple(part for part, there in given.items() if not there))


def require_packages() -> None:
    """Raise `UserError` when one of the packages is missing that exporting needs."""
    import importlib

    try:
        for name in _PACKAGES:
            importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"Exporting to bioimage.io needs the package '{error.name or _PACKAGES[0]}', which is not installed. "
            "Install the extra: pip install 'napari-emssl[export]'."
        ) from error


def check_empty(folder: Path) -> None:
    """Raise `UserError` unless a package can be put into `folder` without touching what is there."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"'{there}' is a file, so no package can be put there. Name a folder.")
    sweep_once(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"Folder '{folder}' is not empty; nothing was written. Name a new folder.")


@contextmanager
def _temporary_beside(folder: Path) -> Iterator[Path]:
    """Give a folder on the same disk that is gone in the end, unless it was renamed."""
    place = hidden_name(folder.absolute())
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(place.parent)
        place.mkdir()
        try:
            yield place
        finally:
            remove(place)
    except OSError as error:
        raise UserError(f"Cannot write '{folder}': {error.strerror or error}. Choose another folder.") from error


def _write_files(place: Path, model: Model, network: PortableNetwork, sample: Sample) -> PackageFiles:
    """Write everything but the page and the description."""
    files = PackageFiles(place)
    write_torchscript(network, place / files.torchscript)
    write_onnx(network, place / files.onnx)
    save_model(model, place / files.model)
    np.save(place / files.sample_in, sample.plane[None, None])
    np.save(place / files.sample_out, sample.result[None])
    write_cover(place / files.cover, sample, task_of(model.card.task).gives_labels)
    return files


def _check(files: PackageFiles, sample: Sample, model: Model) -> float:
    """Run what was written; return by how much it differs from the sample's result.

    Raises
    ------
    RuntimeError
        When that is more than `TOLERANCE`.

    """
    images = sample.scaled[None, None]
    written = (run_torchscript, files.torchscript), (run_onnx, files.onnx)
    found = [run(files.folder / file, images)[0] for run, file in written]
    labels = task_of(model.card.task).gives_labels
    difference = max(float(np.abs((_probabilities(raw) if labels else raw) - sample.result).max()) for raw in found)
    if not difference <= TOLERANCE:
        raise RuntimeError(f"The exported network differs by {difference:.2g} from '{model.name}'.")
    return difference


def _probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Do what the package declares to be done with logits ``(c, h, w)``."""
    from scipy.special import expit, softmax

    return np.asarray(expit(logits) if len(logits) == 1 else softmax(logits, axis=0), np.float32)


def _write_description(description: Fields, folder: Path, online: bool) -> None:
    """Write the description of the package in `folder` and read it back, which checks every field and file.

    Files are not read where GitHub names are given (`online`): GitHub would be asked for them, and exporting needs no
    network. Their checksums were taken when they were written.
    """
    import yaml
    from bioimageio.spec import InvalidDescr, load_description

    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=120)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    read = load_description(folder / DESCRIPTION, perform_io_checks=not online)
    if isinstance(read, InvalidDescr):
        wrong = next((item.msg for part in read.validation_summary.details for item in part.errors), "no reason given")
        raise UserError(
            f"The package did not pass the checks of bioimageio.spec {version('bioimageio.spec')} (with pydantic "
            f"{version('pydantic')}), so nothing was written: {wrong}. Another version of one of them may help: "
            "pip install --upgrade bioimageio.spec pydantic."
        )


def _move(package: Path, folder: Path) -> None:
    """Put a package where it belongs; an empty folder that is there is taken away first."""
    if folder.is_dir():
        folder.rmdir()
    move(package, folder)


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Keep bioimageio.spec from logging to the terminal what the package lacks: `Exported.missing` says so."""
    from loguru import logger

    logger.disable("bioimageio")
    try:
        yield
    finally:
        logger.enable("bioimageio")
