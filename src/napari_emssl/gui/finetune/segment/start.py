"""Start a segmentation in the worker thread: save the paintings, read the images, run the job."""

from collections.abc import Sequence
from pathlib import Path

from .... import worker_jobs
from ....data.images.image import Image
from ....jobs.events import Job
from ....jobs.worker import client
from ....models.model_file import Model
from ...training.order import RunOptions
from .painting_files import save_paintings
from .request import TrainingRequest


def start_segmenting(request: TrainingRequest, painting_paths: Sequence[Path], draft: RunOptions) -> Job[Model]:
    """Save the paintings, read the images, and start the job in its process."""
    from ....data.labels.targets import (
        targets_from_painting,  # brings scipy and scikit-image: too slow for opening a dock
    )

    if draft.resume is None:
        save_paintings(request, painting_paths)
    targets, _ = targets_from_painting(
        [plane for painted in request.images for plane in painted.painting],
        request.unpainted, request.with_role("background"), ignored_labels=request.with_role("ignore"),
        regions=[mask for painted in request.images for mask in painted.masks()],
    )  # fmt: skip
    images = [
        Image(painted.source.name, plane[None], (), painted.source.pixel_size_nm)
        for painted in request.images
        for plane in painted.images()
    ]
    return client.run(
        worker_jobs.finetune, images, targets, draft.settings, draft.start,
        name=draft.name, class_names=request.class_names(), autosave=draft.autosave, resume=draft.resume,
    )  # fmt: skip
