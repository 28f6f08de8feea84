"""``napari-emssl pretrain``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

from cyclopts import Parameter

from ..data.images.image import ImageIn, chosen_image
from ..jobs.pretrain_settings import PretrainSettings
from ..training.pretraining.torchrun_env import rank
from .path_checks import ImageChoice, check_distinct, require_existing, require_no_folder, require_writable_file
from .run_files import TrainingOutput


def pretrain(
    paths: Annotated[
        list[Path], Parameter(help="Image files, folders (TIFF, PNG, JPEG, NPY, MRC, HDF5) and packs, any mix.")
    ],
    /,
    *,
    output: TrainingOutput,
    image: ImageChoice = None,
    start: Annotated[
        str | None,
        Parameter(help="Generator to continue from: a name from 'models list' or a file. Its network is used."),
    ] = None,
    split: Annotated[
        Path | None, Parameter(help="Use the images of this split, a file that another run wrote beside its model.")
    ] = None,
    settings: Annotated[PretrainSettings, Parameter(name="*", group="Settings")] = PretrainSettings(),
) -> int:
    """Train a generator on unlabelled images: it learns to restore what was corrupted (GAN).

    Returns
    -------
    int
        Exit status; 3 when the training diverged.

    Raises
    ------
    UserError
        When a path is missing, an output is there or would replace an input, or images or settings cannot be used.
    """
    if rank() > 0:
        return _run_as_follower([chosen_image(path, image) for path in paths], settings, output, start, split)
    require_no_folder(output.output)
    if output.pictures is None:
        output = replace(output, pictures=output.output.with_name(f"{output.output.stem}-pictures"))
    kept, continues = output.split_file(split)
    read = [*paths, *([Path(start)] if start and Path(start).is_file() else [])]
    check_distinct([*output.written, kept], [*read, *([split] if split and not continues else [])])
    output.check()
    if not continues:
        require_writable_file(kept, output.overwrite or output.resume is not None)
    require_existing([*paths, *([split] if split else [])])
    from ..training.pretraining.pretrain import pretrain as begin
    from .train import train

    sources = [chosen_image(path, image) for path in paths]
    job = begin(sources, settings, start=start, **output.arguments(), split=split, keep_split=kept)
    status = train(job, "Pretraining", output)
    _print_test_result(output.output)
    return status


def _run_as_follower(
    paths: Sequence[Path | ImageIn],
    settings: PretrainSettings,
    output: TrainingOutput,
    start: str | None,
    split: Path | None,
) -> int:
    """Train as one of several processes; only the first one writes files and messages."""
    from ..training.pretraining.pretrain import pretrain as begin
    from .progress import run_silently

    return run_silently(begin(paths, settings, start=start, resume=output.resume, split=split))


def _print_test_result(path: Path) -> None:
    """Print the result on the test images, if there were any."""
    from ..formatting import counted
    from ..models.model_file import read_card

    data = read_card(path).history[-1].data
    if "test_l1" in data:
        print(f"L1 on {counted(cast(int, data['test_images']), 'test image')}: {data['test_l1']:.4g}.")
