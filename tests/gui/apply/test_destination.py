"""Where results go, and what is said before a run."""

from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import small_jobs
from napari.layers import Image

from napari_emssl.errors import UserError
from napari_emssl.gui.apply import destination
from napari_emssl.gui.apply.destination import choose_destination, describe_run
from napari_emssl.gui.apply.request import ApplyRequest, Destination, check_fits, select
from napari_emssl.inference import tiles
from napari_emssl.inference.resumable_zarr import ResumableZarr
from napari_emssl.inference.zarr_progress import AlreadyDoneError
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.results import ResultLayout

CARD = small_jobs.model("au").card
CLEAN = CARD.model_copy(update={"task": "denoise", "classes": (), "name": "clean"})
FINER = CLEAN.model_copy(update={"upscale": 2})
SURVEY = small_jobs.measured([CARD.network], None).result()[CARD.network]
PLAIN = ApplySettings()
AUGMENTED = ApplySettings(test_time_augmentation=True)


def layer(*shape, index=None, name="film", **more):
    data = da.zeros(shape, chunks=(*(1 for _ in shape[:-2]), *shape[-2:]), dtype=np.uint8)
    return select(Image(data, name=name, contrast_limits=(0, 255), multiscale=False, **more), index)


def request(*shape, card=CARD, **more):
    return ApplyRequest((layer(*shape, **more),), "au", card)


@pytest.mark.parametrize(
    ("shape", "card", "place", "why"),
    [
        ((64, 2048, 2048), CARD, "memory", ""),
        ((500, 2048, 2048), CARD, "disk", "more than 2 GB"),
        ((200, 2048, 2048), CLEAN, "disk", "more than 2 GB"),
        ((64, 2048, 2048), FINER, "disk", "more than 2 GB"),
        ((5, 100, 1, 2048, 2048), CARD, "lazy", "more than 2 GB"),
    ],
)
def test_the_size_decides_unless_the_user_does(shape, card, place, why):
    found = choose_destination(None, request(*shape, card=card))
    assert (found.place, found.why) == (place, why)
    assert choose_destination("memory", request(*shape, card=card)).place == "memory"


def test_little_free_memory_sends_results_to_disk(monkeypatch):
    monkeypatch.setattr(destination, "free_main_memory", lambda: 400_000_000)
    found = choose_destination(None, request(64, 2048, 2048))
    assert (found.place, found.why) == ("disk", "more than 100 MB")


def test_the_sentence_of_a_run(monkeypatch):
    monkeypatch.setattr(tiles, "keeps_memory", lambda: False)
    wanted = request(64, 2048, 2048)
    wanted = wanted.going_to(choose_destination(None, wanted))
    text = describe_run(wanted, SURVEY)
    assert text == (
        "64 planes of 2048 x 2048 px in tiles of 384 px: about 19 MB of memory, roughly 5 min 35 s. "
        "The result (268 MB) stays in memory."
    )
    text = describe_run(wanted, None)
    assert text == "64 planes of 2048 x 2048 px. The result (268 MB) stays in memory."


def test_the_sentence_of_several_layers_and_of_one_plane(tmp_path):
    disk = Destination("disk", folder=tmp_path)
    two = layer(4, 64, 64), layer(64, 96, name="other")
    text = describe_run(ApplyRequest(two, "au", CARD, PLAIN, disk), None)
    assert text == (
        "2 layers, 5 planes of 64 x 64 and 64 x 96 px. "
        "The results (1 MB, before compression) go to 'film au.zarr' and 1 more."
    )
    text = describe_run(request(4, 64, 64, index=(2,)).going_to(disk), None)
    assert "1 plane of 64 x 64 px" in text
    assert "'film 2 au.zarr'" in text


def test_what_is_begun_or_complete_is_said(tmp_path):
    wanted = request(4, 64, 64).going_to(Destination("disk", folder=tmp_path))
    path, record = wanted.path_of(wanted.selections[0]), wanted.progress_of(wanted.selections[0])
    layout = ResultLayout((4, 64, 64), np.dtype(np.uint8))
    with ResumableZarr(path, record).open(layout):
        pass
    assert "already there" not in describe_run(wanted, None)
    with ResumableZarr(path, record).open(layout) as writer:
        writer.put(0, np.ones((64, 64)))
    check_fits(wanted)
    assert "1 of its 4 planes are already there; the run continues after them." in describe_run(wanted, None)
    with pytest.raises(UserError, match="exists already"):
        check_fits(replace(wanted, settings=AUGMENTED))
    with ResumableZarr(path, record).open(layout) as writer:
        writer.put(3, np.ones((64, 64)))
    with pytest.raises(AlreadyDoneError):
        check_fits(wanted)
    check_fits(wanted.going_to(Destination("disk", folder=tmp_path, overwrite=True)))


def test_what_cannot_fit_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"4\.19 GB, more than half of the free memory"):
        check_fits(request(1000, 2048, 2048))
    disk = Destination("disk", folder=tmp_path)
    with pytest.raises(UserError, match=r"67\.1 GB of disk, but only 50 GB"):
        check_fits(request(4000, 2048, 2048, card=CLEAN).going_to(disk))
    check_fits(request(4000, 2048, 2048).going_to(disk))
    with pytest.raises(UserError, match="at most 4 axes"):
        check_fits(request(1, 1, 1, 8, 8).going_to(disk))


def grid_of(wanted):
    return wanted.grid_of(wanted.selections[0])


def test_the_file_lies_where_the_layer_does():
    there = {"scale": (2, 0.5, 0.5), "translate": (1, 2, 3), "units": ("s", "nm", "nm")}
    grid = grid_of(request(4, 64, 64, **there))
    assert (grid.scale, grid.translate) == ((2.0, 0.5, 0.5), (1.0, 2.0, 3.0))
    assert grid.units == ("second", "nanometer", "nanometer")
    finer = grid_of(request(4, 64, 64, card=FINER, **there))
    assert (finer.scale, finer.translate) == ((2.0, 0.25, 0.25), (1.0, 1.875, 2.875))
    assert grid_of(request(4, 64, 64, index=(1,), scale=(2, 0.5, 0.5))).scale == (0.5, 0.5)


def test_the_folder_is_the_users_own(home):
    assert destination.default_folder() == Path(home) / "results"
