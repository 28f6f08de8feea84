"""A real micrograph among the samples: downloaded when it is opened for the first time, then kept in the user's folder.

It is not part of the package. Source and licence are in the layer's metadata and in ``docs/reference/data-formats.md``.
"""

import hashlib
from pathlib import Path

import numpy as np

from ...atomic_files import replacing
from ...data.images.intensity_scaling import IntensityScaling
from ...data.images.opening import read_image
from ...data.images.user_folder import home
from ...errors import UserError
from ...jobs.settings import DownloadSettings
from ...models.fetch import Download, fetch_file
from ..threads.blocking import run_blocking
from .reader import LayerData

REPOSITORY = "ArdaGen/STEM-Automated-Nanoparticle-Analysis-YOLOv8-SAM"
_COMMIT = "91137187d579ac35ba1ffa4f7fda050e672d6503"
_FILE = "dataset/images/Pt_carbon1.jpg"
DOWNLOAD = Download(
    urls=(f"https://raw.githubusercontent.com/{REPOSITORY}/{_COMMIT}/{_FILE}",),
    sha256="2d4f0bf59303d991af8fa22c062708718059813c6c1b5914e8245bd4fcf84f82",
    bytes=1373591,
)
SOURCE = {
    "source": f"https://github.com/{REPOSITORY}/blob/{_COMMIT}/{_FILE}",
    "licence": "MIT, Copyright (c) 2023 ArdaGen",
    "description": "Platinum nanoparticles on carbon, bright-field STEM; the pixel size is not given.",
}


def platinum_on_carbon() -> list[LayerData]:
    """Return a bright-field STEM image ``(2048, 2048)`` of platinum particles on carbon.

    Raises `UserError` where it is not there yet and cannot be downloaded.
    """
    path = home() / "samples" / Path(_FILE).name
    if not _is_whole(path):
        run_blocking(lambda _: _fetch(path), "Downloading the sample")
    plane = np.asarray(read_image(path).planes[0])
    contrast = tuple(IntensityScaling().fit(plane))
    options = {"name": "Pt on carbon", "contrast_limits": contrast, "metadata": {"napari_emssl_sample": SOURCE}}
    return [(plane, options, "image")]


def _is_whole(path: Path) -> bool:
    """Whether the file is there and is the published one."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == DOWNLOAD.sha256


def _fetch(path: Path) -> None:
    """Download the file; raises `UserError` that says what to do instead."""
    with replacing(path, overwrite=True) as temporary:
        try:
            fetch_file(
                DOWNLOAD.urls[0], temporary, DOWNLOAD, DownloadSettings().timeout_seconds, lambda _done, _total: None
            )
        except UserError as error:
            raise UserError(
                f"The micrograph was not downloaded. {error} The simulated samples need no network. Or download "
                f"{SOURCE['source']} on any computer and drop the file into napari."
            ) from error
