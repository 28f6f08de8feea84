"""``napari-emssl evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..formatting import counted
from ..jobs.settings import EvaluateSettings
from ..training.file_lock import claimed
from .path_checks import (
    ImageChoice,
    Overwrite,
    Quiet,
    check_distinct,
    require_existing,
    require_writable_file,
    write_json,
)

if TYPE_CHECKING:
    from ..metrics import Scores


def evaluate(
    model: Annotated[str, Parameter(help="A model: a name from 'models list' or a file.")],
    /,
    *,
    images: Annotated[Path, Parameter(help="A folder of images, or one image or stack.")],
    targets: Annotated[Path, Parameter(help="A folder of targets paired by name, or one target.")],
    image: ImageChoice = None,
    json: Annotated[
        Path | None, Parameter(group="Output", allow_leading_hyphen=True, help="Write all scores here; - for stdout.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    settings: Annotated[EvaluateSettings, Parameter(name="*", group="Settings")] = EvaluateSettings(),
) -> int:
    """Score a model against targets: for each image, their mean, and pooled over all pixels.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    UserError
        When a path is missing, the scores cannot be written, or model and targets do not fit together.
    """
    if json is not None and str(json) != "-":
        check_distinct([json], [images, targets, *([Path(model)] if Path(model).is_file() else [])])
        require_writable_file(json, overwrite)
    require_existing([images, targets])
    from ..models.zoo import load_model

    loaded = load_model(model)
    from ..data.images.image import chosen_image
    from ..evaluation.evaluate import evaluate_job
    from .progress import run_with_progress

    job = evaluate_job(loaded, chosen_image(images, image), targets, settings)
    with claimed(*([] if json is None or str(json) == "-" else [json])):
        ending = run_with_progress(job, "Evaluating", quiet=quiet)
        if ending.stopped:
            return ending.status
        if json is not None:
            write_json(json, ending.result.to_dict())
    if str(json) != "-":
        _print_scores(ending.result)
    return ending.status


def _print_scores(scores: "Scores") -> None:
    """Print the means and the pooled scores beside each other."""
    print(f"{'score':<24}{'mean':>10}{'pooled':>10}   ({counted(len(scores.images), 'image')})")
    for name, value in scores.mean.items():
        pooled = scores.pooled.get(name)
        print(f"{name:<24}{value:>10.4f}{'' if pooled is None else format(pooled, '>10.4f')}")
