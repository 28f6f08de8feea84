"""Simulations as jobs: the images of the terminal, counted, stopped, and made in a process of their own."""

import numpy as np
import pytest

from napari_emssl import worker_jobs
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Finished, Progress
from napari_emssl.jobs.settings import SimulateSettings
from napari_emssl.jobs.worker import client
from napari_emssl.simulation.job import simulate
from napari_emssl.simulation.stem.files import FOLDERS
from napari_emssl.simulation.stem.settings import STEMSettings

GOLD = STEMSettings(size_px=64, crystal="Au", pixel_size_nm=0.02, dose_per_nm2=1e6)
FOUR = SimulateSettings(count=4, seed=3, format="tiff")


def test_stacks_are_what_is_written_to_files(tmp_path):
    made = simulate(GOLD, FOUR).result()
    assert simulate(GOLD, FOUR, folder=tmp_path / "gold").result() == 4
    assert set(made.stacks) == set(FOLDERS)
    for name, stack in made.stacks.items():
        files = sorted((tmp_path / "gold" / name).iterdir())
        np.testing.assert_array_equal(stack, np.stack([read_image(file).plane(0) for file in files]))
    assert made.pixel_size_nm == 0.02
    assert len(made) == len(made.columns_px) == 4
    assert made.stacks["noNoiseNoBackgroundUpinterpolation2x"].shape == (4, 128, 128)


def test_pixel_sizes_that_differ_are_none_at_all():
    made = simulate(GOLD.model_copy(update={"pixel_size_nm": None}), FOUR).result()
    assert made.pixel_size_nm is None
    assert len({drawn["pixel_size_nm"] for drawn in made.parameters}) == 4


@pytest.mark.parametrize("to_files", [False, True])
def test_progress_and_stop(tmp_path, to_files):
    job = simulate(GOLD, FOUR, folder=tmp_path / "gold" if to_files else None)
    events = []
    for event in job:
        events.append(event)
        if len(events) == 2:
            job.stop()
    assert [event.fraction for event in events if isinstance(event, Progress)] == [0.25, 0.5]
    assert isinstance(events[-1], Finished)
    assert events[-1].stopped
    assert (events[-1].result if to_files else len(events[-1].result)) == 2


def test_in_a_process_of_its_own():
    made = client.run(worker_jobs.simulate, GOLD, FOUR).result()
    np.testing.assert_array_equal(made.stacks["image"], simulate(GOLD, FOUR).result().stacks["image"])
    with pytest.raises(UserError, match="There is no crystal 'Kryptonite'"):
        client.run(worker_jobs.simulate, STEMSettings(crystal="Kryptonite"), FOUR).result()


def test_an_earlier_simulation_is_kept_unless_it_may_go(tmp_path):
    simulate(GOLD, FOUR, folder=tmp_path).result()
    with pytest.raises(UserError, match="holds images already"):
        simulate(GOLD, FOUR, folder=tmp_path).result()
    assert simulate(GOLD, FOUR, folder=tmp_path, overwrite=True).result() == 4
