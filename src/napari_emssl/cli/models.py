"""``napari-emssl models list | info | pull | import | export | rename | remove | entry``."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..checksums import sha256_of
from ..errors import UserError
from ..export.credits import Credits
from ..export.order import PackageOrder
from ..formatting import plain
from ..jobs.settings import DownloadSettings
from ..models.fetch import Download, check_sha256, check_url, is_url
from ..models.model_file import Model, NetworkSpec, read_model
from ..models.package import model_file_in
from ..models.registry import Offer, read_offer, registry_entry
from ..models.zoo import (
    add_model,
    damaged_models,
    export_model,
    find_model,
    list_models,
    load_card,
    own_file,
    own_with_checksum,
    remove_model,
    rename_model,
)
from .model_text import card_lines, grouped, own_row, print_table, remote_lines, remote_row
from .path_checks import require_existing, require_no_folder, write_json


def list_(
    *, json: Annotated[bool, Parameter(negative="", help="Print a JSON list of objects instead of a table.")] = False
) -> None:
    """List the models that can be picked by name, the recommended start first, then those to download."""
    rows = [own_row(entry) for entry in list_models()]
    offer = read_offer()
    here = {row["name"] for row in rows}
    rows += [remote_row(model) for model in offer.models if model.name not in here]
    _warn_of_what_is_left_out(offer)
    if json:
        write_json(Path("-"), rows)
    elif rows:
        print_table(rows)
    else:
        print("There are no models yet. Pretrain one, or 'napari-emssl models import FILE'.")


def info_(
    model: Annotated[str, Parameter(help="A name from 'models list', or a model file.")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="", help="Print the card as JSON.")] = False,
) -> None:
    """Show the card of a model: what it is and how it was made."""
    try:
        path = find_model(model)
    except UserError:
        remote = next((item for item in read_offer().models if item.name == model), None)
        if remote is None:
            raise
        write_json(Path("-"), remote_row(remote)) if json else print("\n".join(remote_lines(remote)))
        return
    card = load_card(model)
    write_json(Path("-"), card.model_dump(mode="json")) if json else print("\n".join(card_lines(card, path)))


def pull_(
    model: Annotated[str, Parameter(help="A name from 'models list', or an address (https://..., doi:DOI/FILE).")],
    /,
    *,
    sha256: Annotated[str | None, Parameter(help="Expected SHA-256 of the file; required for an address.")] = None,
    name: Annotated[
        str | None, Parameter(help="Name to pick it by; by default the one in the list or on the card.")
    ] = None,
    overwrite: Annotated[
        bool, Parameter(negative="", help="Replace one of your own models that has that name.")
    ] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Show warnings only.")] = False,
    settings: Annotated[DownloadSettings, Parameter(name="*", group="Settings")] = DownloadSettings(),
) -> int:
    """Download a model, check it, and add it to your own models.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When no registry offers the model, an address comes without its SHA-256, or no mirror gives the file.
    """
    wanted = _wanted(model, sha256, name)
    there = own_with_checksum(wanted.sha256, wanted.name)
    if there is not None:
        print(f"'{there.stem}' is already here, with this SHA-256: {there}.")
        return 0
    from ..models.download import download
    from .progress import run_with_progress

    ending = run_with_progress(download(wanted, settings, overwrite), "Downloading", quiet=quiet)
    kept = f"Downloaded '{ending.result.stem}' to {ending.result}." if ending.result else "Stopped; nothing was kept."
    print(kept)
    return ending.status


def _warn_of_what_is_left_out(offer: Offer) -> None:
    """Say which registries and which own models cannot be read."""
    damaged = (f"{model.reason} It is left out." for model in damaged_models())
    for complaint in (*offer.complaints, *damaged):
        print(f"Warning: {plain(complaint)}", file=sys.stderr)


def _wanted(model: str, sha256: str | None, name: str | None) -> Download:
    """Return what to download; raises `UserError` when an address comes without its checksum."""
    if is_url(model):
        if sha256 is None:
            raise UserError(
                f"'{model}' needs --sha256, the checksum its provider publishes: only that shows "
                "whether the file is the right one."
            )
        return Download((check_url(model),), check_sha256(sha256), name)
    if sha256 is not None:
        raise UserError("--sha256 is for addresses; the checksum of a name is in its registry. Leave it out.")
    offer = read_offer()
    if model not in {item.name for item in offer.models} and model in {entry.name for entry in list_models()}:
        raise UserError(f"'{model}' is already here: 'napari-emssl models info {model}' shows it.")
    _warn_of_what_is_left_out(offer)
    return offer.find(model).download(name)


def import_(
    file: Annotated[
        Path,
        Parameter(
            help="The model file to copy, a package of bioimage.io that was exported here (folder or .zip), or weights "
            "of another program (with --network)."
        ),
    ],
    /,
    *,
    network: Annotated[
        str | None, Parameter(help="Network that the weights of another program (.pth, .safetensors) belong to.")
    ] = None,
    mapping: Annotated[
        Literal["official", "timm", "plain"],
        Parameter(help="How the weights are named: as in the authors' code, in timm, or in this program."),
    ] = "official",
    width: Annotated[int | None, Parameter(help="Width of the network, if it is not the usual one.")] = None,
    norm: Annotated[Literal["batch", "instance"], Parameter(help="Norm of the network.")] = "batch",
    names: Annotated[bool, Parameter(negative="", help="List the name of every tensor that fits or does not.")] = False,
    name: Annotated[str | None, Parameter(help="Name to pick it by; by default the name on its card.")] = None,
    sha256: Annotated[str | None, Parameter(help="Expected SHA-256 of the file.")] = None,
    overwrite: Annotated[
        bool, Parameter(negative="", help="Replace one of your own models that has that name.")
    ] = False,
) -> None:
    """Copy a model file to your own models, or make a start of another program's weights.

    Raises
    ------
    UserError
        When the file is no model or not the one promised, or the name is taken.
    """
    if sha256 is not None:
        require_existing([file])
        require_no_folder(file)
        if (found := sha256_of(file)) != check_sha256(sha256):
            raise UserError(f"'{file}' is not the expected file: its SHA-256 is {found}. Fetch it again.")
    if network is None:
        with model_file_in(file) as inner:
            model = read_model(inner)
        model = model if name is None else model.renamed(name)
    else:
        spec = NetworkSpec(name=network, width=width, norm=norm)
        model = _with_report(file, spec, mapping, name or f"{file.name.split('.')[0]}-{network}", names)
    path = add_model(model, overwrite)
    print(f"Imported '{model.name}' to {path}.")


def _with_report(
    file: Path, spec: NetworkSpec, mapping: Literal["official", "timm", "plain"], name: str, every: bool
) -> Model:
    """Read weights of another program, and print which fit."""
    from ..models.imports.import_weights import import_weights

    made = import_weights(file, spec, mapping, name, shlex.join(["napari-emssl", *sys.argv[1:]]))
    for title, listed in (
        ("Fit", made.fitting), ("Not in the file", made.missing), ("Of another shape", made.misshapen),
        ("Not used", made.unused),
    ):  # fmt: skip
        if listed:
            print(f"{title}: {', '.join(listed if every else grouped(listed))}")
    for note in made.notes:
        print(note)
    if made.missing:
        print("Weights that are not in the file are drawn at random when fine-tuning starts from it.")
    return made.model


def export_(
    model: Annotated[str, Parameter(help="A name from 'models list', or a model file.")],
    place: Annotated[
        Path, Parameter(help="The model file to write (.safetensors), or with --bioimageio the folder of the package.")
    ],
    /,
    *,
    bioimageio: Annotated[
        bool,
        Parameter(
            negative="",
            help="Write a package for other programs, in the format of bioimage.io: TorchScript and ONNX, "
            "preprocessing and postprocessing, a sample, a page.",
        ),
    ] = False,
    author: Annotated[
        list[str] | None,
        Parameter(
            negative="", help="Of a package: who made the model, as 'NAME; AFFILIATION; ORCID; @GITHUB'; repeatable."
        ),
    ] = None,
    licence: Annotated[
        str | None, Parameter(help="Of a package, as in the SPDX list: CC-BY-4.0, MIT, ...; by default the card's.")
    ] = None,
    cite: Annotated[
        list[str] | None, Parameter(negative="", help="Of a package: what to cite, as 'TEXT; DOI'; repeatable.")
    ] = None,
    sample: Annotated[
        Path | None, Parameter(help="Of a package: an image to test it with; by default a simulated one.")
    ] = None,
    float16: Annotated[
        bool, Parameter(negative="", help="Store the weights of convolutions in 16 bits: about half the size.")
    ] = False,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an existing file.")] = False,
) -> None:
    """Write a copy of a model to a file, or a package for other programs, to publish it.

    Raises
    ------
    UserError
        When there is no such model, flags of files and packages are mixed, the file is there and `overwrite` is false,
        or the package cannot be made.
    """
    parts = {"--author": author, "--licence": licence, "--cite": cite, "--sample": sample}
    _check_flags(bioimageio, [flag for flag, value in parts.items() if value], float16, overwrite)
    if bioimageio:
        _export_package(model, place, Credits.parse(author or (), licence, cite or ()), sample)
        return
    require_no_folder(place)
    export_model(model, place, "float16" if float16 else None, overwrite)
    print(f"Wrote {place}: {place.stat().st_size / 1e6:.2f} MB, SHA-256 {sha256_of(place)}.")


def _check_flags(package: bool, of_packages: list[str], float16: bool, overwrite: bool) -> None:
    """Refuse flags that would do nothing."""
    if of_packages and not package:
        raise UserError(f"{of_packages[0]} is only for packages for other programs. Add --bioimageio, or leave it out.")
    if package and float16:
        raise UserError("--float16 is for model files; other programs compute in 32 bits. Leave it out.")
    if package and overwrite:
        raise UserError("A package never replaces files. Leave out --overwrite, and name a new folder.")


def _export_package(model: str, folder: Path, parties: Credits, sample: Path | None) -> None:
    find_model(model)
    if sample is not None:
        require_existing([sample])
    from ..export.bioimageio import export_bioimageio  # late: it imports torch

    exported = export_bioimageio(PackageOrder(model, folder, parties, sample))
    print(exported.describe({"authors": "--author", "licence": "--licence"}))


def rename_(
    old: Annotated[str, Parameter(help="The model, one of your own.")],
    new: Annotated[str, Parameter(help="Its new name.")],
    /,
) -> None:
    """Rename one of your own models."""
    print(f"'{old}' is now '{new}': {rename_model(old, new)}.")


def remove_(
    model: Annotated[str, Parameter(help="The model, one of your own.")],
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
) -> None:
    """Delete one of your own models."""
    path = own_file(model)
    if yes or _agreed(f"Delete '{model}' ({path})? This cannot be undone. [y/N] "):
        remove_model(model)
        print(f"Deleted '{model}'.")
    else:
        print(f"'{model}' was not deleted.")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError("There is no terminal to ask in. Pass --yes to delete the model.")
    return input(question).strip().lower() in ("y", "yes")


def entry_(
    file: Annotated[Path, Parameter(help="The model file to offer.")],
    urls: Annotated[list[str], Parameter(help="Addresses from which exactly this file can be downloaded.")],
    /,
) -> None:
    """Print a model file's entry for a registry: name, size, SHA-256, addresses."""
    require_existing([file])
    write_json(Path("-"), registry_entry(file, tuple(urls)).model_dump(mode="json"))
