"""``napari-emssl measure``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from ..errors import UserError
from ..jobs.cluster.parts import Part
from ..jobs.settings import MeasureSettings
from ..training.file_lock import claimed
from .many_machines.flags import Machines
from .path_checks import ImageChoice, Overwrite, Quiet, check_distinct, require_existing, require_writable_file

if TYPE_CHECKING:
    from ..data.images.image import Image
    from ..particles.table import ParticleTable
    from .progress import Ending


def measure(
    labels: Annotated[list[Path], Parameter(help="Files and folders of masks or numbered particles, stacks too.")],
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), group="Output", help="The table to write (.csv).")],
    images: Annotated[
        Path | None,
        Parameter(
            help="An image, or a folder of images paired by name: for the mean intensity, and for the pixel size if "
            "the labels have none."
        ),
    ] = None,
    image: ImageChoice = None,
    histogram: Annotated[
        Path | None, Parameter(group="Output", help="Draw a histogram of the diameters to this file (.png).")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    machines: Machines = Machines(),
    settings: Annotated[MeasureSettings, Parameter(name="*", group="Settings")] = MeasureSettings(),
) -> int:
    """Measure particles and print the statistics of their equivalent diameters.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When a path is missing, an output is there or would replace an input, or a label file has no image of its name.
    """
    for path in (output, histogram):
        if path is not None:
            require_writable_file(path, overwrite)
    _require_suffix(histogram)
    require_existing([*labels, *([] if images is None else [images])])
    part, files = machines.part(), _files(labels, images)
    outputs = [path for path in (output, histogram) if path is not None]
    check_distinct(outputs, [path for pair in files for path in pair if path is not None])
    with claimed(*outputs):
        ending = _measured(files, part, image, settings, machines.executor, output, quiet)
        if not ending.stopped:
            _write(ending.result, output, histogram, overwrite)
    return ending.status


def _write(table: "ParticleTable", output: Path, histogram: Path | None, overwrite: bool) -> None:
    """Write the table and the picture, and print the statistics."""
    table.write_csv(output, overwrite)
    if histogram is not None:
        from ..particles.histogram import write_histogram

        write_histogram(histogram, table, overwrite)
    if not len(table):
        left = table.left_out.describe()
        print(f"No particle was found; {output} holds the header only.{' ' if left else ''}{left}")
        return
    print(table.describe())
    print(output)


def _files(labels: list[Path], images: Path | None) -> list[tuple[Path, Path | None]]:
    """Return the label files, and for each its image where images are given."""
    from ..data.images.opening import find_images

    files = find_images(labels)
    partner = None if images is None else _partners(labels, files, images)
    return [(path, None if partner is None else partner[path]) for path in files]


def _measured(
    files: list[tuple[Path, Path | None]], part: Part, image: str | None, settings: MeasureSettings,
    executor: str | None, output: Path, quiet: bool,
) -> "Ending[ParticleTable]":  # fmt: skip
    """Measure the files of a part here, or all on the workers of a scheduler."""
    from .progress import run_with_progress

    if executor is not None:
        from ..particles.on_workers import LabelsFile, measure_on_workers

        given = [LabelsFile(path, image, shown) for path, shown in files]
        job = measure_on_workers(given, settings, executor, output.with_name(f"{output.name}.parts"))
        return run_with_progress(job, "Measuring", quiet=quiet)
    from ..particles.measure import calibrated, measure_job, table_names

    # of the other parts, too: all files together decide on names, units and limits
    opened = _opened(files, image)
    names = table_names([one.mask for one in opened])
    mine = set(part.of(range(len(files))))
    here = [number for number, one in enumerate(opened) if one.file in mine]
    masks, shown = [opened[number].mask for number in here], [opened[number].shown for number in here]
    others = [calibrated(one.mask, one.shown, settings) for one in opened if one.file not in mine]
    job = measure_job(masks, shown, settings, [names[number] for number in here], others)
    return run_with_progress(job, "Measuring", quiet=quiet)


class _Opened(NamedTuple):
    """Labels, the image they belong to, and the number of their file."""

    mask: "Image"
    shown: "Image | None"
    file: int


def _opened(files: list[tuple[Path, Path | None]], image: str | None) -> list[_Opened]:
    """Open the labels, and for each its image where there is one."""
    from ..data.images.image import chosen_image
    from ..data.images.opening import open_images, read_image

    return [
        _Opened(mask, None if shown is None else read_image(shown), number)
        for number, (path, shown) in enumerate(files)
        for mask in open_images(chosen_image(path, image))
    ]


def _partners(labels: list[Path], files: list[Path], images: Path) -> dict[Path, Path]:
    """Return the image of each label file; raises `UserError` when one has none."""
    from ..data.datasets.pairing import find_pairs, pair_files
    from ..data.images.image import shared_folder
    from ..data.images.opening import find_images

    named = [root for root in labels if root.is_file()]
    pairs = [pair for root in labels if root not in named for pair in find_pairs(images, root).pairs]
    if len(named) == len(labels) == 1:
        pairs += find_pairs(images, named[0]).pairs
    elif named:  # together, so that an image is not taken for one of them because it is the only one
        folder = shared_folder([path.absolute() for path in named])
        both = [[path.absolute() for path in find_images(side)] for side in (images, named)]
        pairs += pair_files(both, (images.absolute(), folder)).pairs
    partner = {labels_file.absolute(): image for image, labels_file in pairs}
    unpaired = [path for path in files if path.absolute() not in partner]
    if unpaired:
        raise UserError(
            f"{unpaired[0]} has no image of the same name in {images}. Add it, or measure without --images."
        )
    return {path: partner[path.absolute()] for path in files}


def _require_suffix(histogram: Path | None) -> None:
    if histogram is not None and histogram.suffix.lower() != ".png":
        raise UserError(f"A histogram is a PNG picture, not '{histogram.name}'. Name a file that ends in .png.")
