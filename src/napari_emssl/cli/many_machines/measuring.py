"""``napari-emssl measure --shard | --executor``."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ...jobs.settings import MeasureSettings
from ...particles.on_workers import LabelsFile, measure_on_workers
from ...particles.table import ParticleTable
from ..progress import Ending, run_with_progress


def measure_by_workers(
    files: Sequence[LabelsFile], settings: MeasureSettings, address: str, output: Path, quiet: bool
) -> Ending[ParticleTable]:
    """Measure files on a cluster.

    Parameters
    ----------
    files
        What is measured.
    settings
        How.
    address
        Of the scheduler.
    output
        The table; what is done before all is lies in a folder beside it.
    quiet
        Show warnings only.

    Returns
    -------
    Ending
        With the table.

    Raises
    ------
    UserError
        When a limit of the diameter would mean nm for some files and pixels for others, and as `measure_on_workers`.

    """
    job = measure_on_workers(files, settings, address, output.with_name(f"{output.name}.parts"))
    ending = run_with_progress(job, "Measuring", quiet=quiet)
    limited = settings.min_diameter > 0 or settings.max_diameter is not None
    if limited and len(ending.result.units) > 1:
        raise UserError(
            "A limit of the diameter would mean nm for some files and pixels for others. Give the pixel size of the "
            "others with --pixel-size, or measure them on their own."
        )
    return ending
