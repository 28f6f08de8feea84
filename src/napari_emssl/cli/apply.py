"""``napari-emssl apply``, and ``napari-emssl segment-in-context``: a model, made beforehand or at once, over images."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..formatting import counted
from ..jobs.context_settings import SegmentInContextSettings
from ..jobs.settings import ApplySettings
from ..training.file_lock import claimed_folder
from .app import BAD_INPUT
from .many_machines.flags import Machines
from .path_checks import (
    ImageChoice,
    OutputFolder,
    Overwrite,
    Quiet,
    check_distinct,
    require_existing,
    require_writable_folder,
)

if TYPE_CHECKING:
    from ..data.images.image import ImageIn
    from ..inference.apply import Written
    from ..models.model_file import Model
    from .progress import Ending

Images = Annotated[list[Path], Parameter(help="Image files, stacks and folders.")]
Format = Literal["tiff", "zarr"]


@Parameter(name="*", group="Output")
@dataclass(frozen=True)
class ApplyOutput:
    """Where results are written."""

    folder: OutputFolder
    file_format: Annotated[Format, Parameter(name="--format", help="Kind of file to write.")] = "tiff"
    overwrite: Overwrite = False
    quiet: Quiet = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this run alone; raises `UserError` at once where another one writes to it."""
        require_writable_folder(self.folder)
        with claimed_folder(self.folder):
            yield


def apply(
    model: Annotated[str, Parameter(help="A model: a name from 'models list' or a file.")],
    paths: Images,
    /,
    *,
    image: ImageChoice = None,
    output: ApplyOutput,
    machines: Machines = Machines(),
    settings: Annotated[ApplySettings, Parameter(name="*", group="Settings")] = ApplySettings(),
) -> int:
    """Run a model over images, folders and stacks, and print the files written, one per line.

    Returns
    -------
    int
        Exit status; 2 also when an image could not be used, though the others were written.

    Raises
    ------
    UserError
        When a path is missing, the folder cannot be written to, or the model cannot be used.
    """
    if machines.are_asked_for:  # the parts of a run share its folder
        require_writable_folder(output.folder)
        require_existing(paths)
        return _apply_by_parts(model, paths, output, settings, image, machines)
    with output.held():
        require_existing(paths)
        from ..models.zoo import load_model

        return _apply(load_model(model), paths, output, settings, image)


def segment_in_context(
    images: Images,
    /,
    *,
    painted: Annotated[
        list[Path],
        Parameter(negative="", consume_multiple=True, help="Paintings of some of the images, paired by name."),
    ],
    generator: Annotated[
        str | None,
        Parameter(
            help="Generator that compares pixels: a name from 'models list' or a file. Default: the recommended one."
        ),
    ] = None,
    model: Annotated[
        str | None, Parameter(group="Output", help="Keep the model among your own models, under this name.")
    ] = None,
    image: ImageChoice = None,
    output: ApplyOutput,
    settings: Annotated[SegmentInContextSettings, Parameter(name="*", group="Settings")] = SegmentInContextSettings(),
) -> int:
    """Make a model from painted pixels without training, run it over all images, and print the files written.

    Returns
    -------
    int
        Exit status; 2 also when an image could not be used, though the others were written.

    Raises
    ------
    UserError
        When a path is missing, something would be replaced, a painting has no image, or no generator can do it.
    """
    with output.held():
        return _segment_in_context(images, painted, generator, model, image, output, settings)


def _segment_in_context(
    images: list[Path],
    painted: list[Path],
    generator: str | None,
    model: str | None,
    image: str | None,
    output: ApplyOutput,
    settings: SegmentInContextSettings,
) -> int:
    """Do what `segment_in_context` says, in a folder that is held."""
    require_existing([*images, *painted])
    from ..data.datasets.image_pairs import painted_pairs
    from ..inference.outputs import check_nothing_there, output_paths
    from ..models.zoo import add_model, new_model_file

    if model is not None:
        new_model_file(model, output.overwrite)
    pairs = painted_pairs(images, painted)
    targets = list(output_paths(images, output.folder, output.file_format, image).values())
    check_distinct(targets, [painting for _, painting in pairs])
    if not output.overwrite:
        check_nothing_there(targets)
    from ..training.in_context.segment import in_context

    command = shlex.join(["napari-emssl", *sys.argv[1:]])
    shown, paintings = zip(*_painted(pairs, image), strict=True)
    made = in_context(shown, paintings, settings.context, generator, name=model, command=command)
    if model is not None:
        kept = add_model(made, output.overwrite)
        print(f"Kept '{model}' among your own models: {kept}.", file=sys.stderr)
    return _apply(made, images, output, settings, image)


def _painted(pairs: "list[tuple[Path, Path]]", image: str | None) -> "list[tuple[Path | ImageIn, Path]]":
    """Pairs with the image of each file that was named; a painting is of one image, where all are segmented too."""
    from ..data.images.choice import ALL
    from ..data.images.image import chosen_image

    one = None if image == ALL else image
    return [(chosen_image(path, one), painting) for path, painting in pairs]


def _apply(model: "Model", paths: list[Path], output: ApplyOutput, settings: ApplySettings, image: str | None) -> int:
    """Run a model over images under a bar, print the files written, and return the exit status."""
    from ..inference.apply import apply_files
    from .progress import run_with_progress

    job = apply_files(model, paths, output.folder, settings, output.file_format, output.overwrite, image)
    return _told(run_with_progress(job, "Applying", quiet=output.quiet))


def _apply_by_parts(
    model: str, paths: list[Path], output: ApplyOutput, settings: ApplySettings, image: str | None, machines: Machines
) -> int:
    """Do what is missing of a part, or let workers do it; results that are there are done."""
    from ..inference.cluster.by_parts import missing_results
    from .progress import run_with_progress

    missing = missing_results(
        model, paths, output.folder, output.file_format, image, machines.part(), output.overwrite, settings
    )
    if missing.note:
        print(f"Warning: {missing.note}", file=sys.stderr)
    if missing.there and not output.quiet:
        print(f"Already there: {counted(missing.there, 'result')} of this model.", file=sys.stderr)
    if not missing.targets:
        return 0
    job = missing.job(machines.executor)
    return _told(run_with_progress(job, "Applying", quiet=output.quiet))


def _told(ending: "Ending[Written]") -> int:
    """Print the files written, and return the exit status."""
    for path in ending.result:
        print(path)
    return ending.status or (BAD_INPUT if ending.result.failed else 0)
