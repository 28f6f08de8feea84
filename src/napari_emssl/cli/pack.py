"""``napari-emssl pack``."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..jobs.settings import PackSettings
from ..training.file_lock import claimed
from .path_checks import ImageChoice, Overwrite, Quiet, check_distinct, require_existing, require_writable_file


def pack(
    paths: Annotated[list[Path], Parameter(help="Folders of images and image files, any mix.")],
    /,
    *,
    image: ImageChoice = None,
    output: Annotated[Path, Parameter(name=("--output", "-o"), group="Output", help="The file to write (.pack).")],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    settings: Annotated[PackSettings, Parameter(name="*", group="Settings")] = PackSettings(),
) -> int:
    """Put very many images into one file, from which pretraining reads much faster.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When a path is missing, the file is there or would replace an input, or no image can be read.
    """
    require_writable_file(output, overwrite)
    require_existing(paths)
    check_distinct([output], paths)
    from ..data.datasets.packing import pack as start
    from ..data.images.image import chosen_image
    from ..formatting import bytes_in_words, counted
    from .progress import run_with_progress

    sources = [chosen_image(path, image) for path in paths]
    with claimed(output):
        ending = run_with_progress(start(sources, output, settings, overwrite=overwrite), "Packing", quiet=quiet)
    if ending.result is None:
        print("Stopped: nothing was written.", file=sys.stderr)
    else:
        made = ending.result
        held = f"{counted(made.planes, 'plane')} of {counted(made.images, 'image')}"
        print(f"Wrote {output}: {held}, {bytes_in_words(made.bytes)}.")
    return ending.status
