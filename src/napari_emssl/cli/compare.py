"""``napari-emssl compare``."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..jobs.compare_settings import CompareSettings
from ..training.file_lock import claimed_folder
from .path_checks import ImageChoice, Quiet, check_distinct, require_existing, require_writable_folder

if TYPE_CHECKING:
    from ..evaluation.comparison.results import Comparison
    from .progress import Ending


def compare(
    *,
    images: Annotated[Path, Parameter(help="A folder of images, or one image or stack.")],
    targets: Annotated[Path, Parameter(help="A folder of targets paired by name, or one target.")],
    starts: Annotated[
        list[str],
        Parameter(
            consume_multiple=True,
            negative="",
            help="Starts to compare: names from 'models list', files, or scratch:NETWORK for random weights "
            "(scratch:unet-3-96:8 for another width, scratch:hrnet-w18:refine). LABEL=START names its row.",
        ),
    ],
    image: ImageChoice = None,
    test_images: Annotated[Path | None, Parameter(help="Images to score on; default: a share of IMAGES.")] = None,
    test_targets: Annotated[Path | None, Parameter(help="Targets of the test images, paired by name.")] = None,
    split: Annotated[
        Path | None, Parameter(help="Use the images of this split, a file that 'finetune' wrote beside its model.")
    ] = None,
    output: Annotated[
        Path,
        Parameter(
            name=("--output", "-o"), group="Output", help="The folder to write to, or that of a comparison to continue."
        ),
    ],
    overwrite: Annotated[
        bool, Parameter(negative="", group="Output", help="Start over even if there is already a comparison.")
    ] = False,
    quiet: Quiet = False,
    settings: Annotated[CompareSettings, Parameter(name="*", group="Settings")] = CompareSettings(),
) -> int:
    """Compare pretrained starts with random weights, with the same recipe, images and seeds.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When a path is missing, an output would replace an input, or a start or setting cannot be used.
    """
    inputs = [path for path in (images, targets, test_images, test_targets, split) if path is not None]
    require_existing(inputs)
    check_distinct([output], inputs)
    require_writable_folder(output)
    from ..data.images.image import chosen_image
    from ..evaluation.comparison.compare import compare as begin
    from .progress import run_with_progress

    shown, tested = chosen_image(images, image), test_images and chosen_image(test_images, image)
    job = begin(
        shown, targets, output, starts, settings, test_images=tested, test_targets=test_targets, split=split,
        overwrite=overwrite, command=shlex.join(["napari-emssl", *sys.argv[1:]]),
    )  # fmt: skip
    with claimed_folder(output):
        ending = run_with_progress(job, "Comparing", quiet=quiet)
    _print(ending, output)
    return ending.status


def _print(ending: "Ending[Comparison]", output: Path) -> None:
    """Print the table, and what to do about a run that was stopped."""
    if ending.result.rows:
        print(ending.result.table())
        print(f"All scores, their means and curves are in {output}.")
    if ending.stopped:
        kept = "complete runs are kept" if ending.result.rows else "no run was complete"
        print(f"Stopped early: {kept}. To continue, run the same command again.")
