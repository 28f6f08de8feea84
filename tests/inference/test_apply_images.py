"""Several images in one job: results in memory and on disk, runs that end early and are resumed."""

import errno
import json
import time

import numpy as np
import pytest
import zarr
from random_models import random_model

from napari_emssl.data.formats.ome_zarr import ZarrGrid
from napari_emssl.data.images.image import Image
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.inference import predictor
from napari_emssl.inference.apply import apply
from napari_emssl.inference.apply_images import apply_images
from napari_emssl.inference.apply_task import ApplyTask
from napari_emssl.inference.resumable_zarr import ZarrWriter
from napari_emssl.inference.zarr_progress import AlreadyDoneError, read_progress
from napari_emssl.jobs import meter
from napari_emssl.jobs.events import Finished, Notice, Progress, Started
from napari_emssl.jobs.settings import ApplySettings

PLAIN = ApplySettings(device="cpu", precision="fp32")
MODEL = random_model()
SEGMENTER = random_model(task="segment")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


class Watched:
    """A stack that calls `tell` with the number of each plane before it is read."""

    def __init__(self, array, tell):
        self.array, self.tell, self.shape, self.dtype, self.ndim = array, tell, array.shape, array.dtype, array.ndim

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        self.tell(index)
        return self.array[index]


def broken(array, bad):
    """A stack one plane of which cannot be read."""

    def tell(index):
        if index == bad:
            raise OSError("bad sector")

    return Watched(array, tell)


def stopped_at(plane, stack, out):
    """Events of a job that is asked to stop once this many planes are written; the next one is not read before."""

    def tell(index):
        if index == plane:
            while not (out / "0" / "c" / str(plane - 1)).exists():
                time.sleep(0.01)
            jobs[0].stop()

    jobs = [apply_images(MODEL, [ApplyTask(Image("image", Watched(stack, tell), stack.shape[:-2]), out)], PLAIN)]
    return list(jobs[0])


def test_results_of_several_images_are_those_of_each_alone():
    images = [noise(2, 40, 30), noise(33, 64, seed=1), noise(2, 2, 40, 30, seed=2)]
    events = list(apply_images(MODEL, [ApplyTask(image) for image in images], PLAIN))
    assert isinstance(events[0], Started)
    assert "3 images, 7 planes" in events[0].summary
    assert isinstance(events[-1], Finished)
    for image, outcome in zip(images, events[-1].result, strict=True):
        np.testing.assert_array_equal(outcome.result, apply(MODEL, image, PLAIN))
        assert outcome.done == outcome.planes
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_the_network_is_kept_while_planes_keep_their_size(monkeypatch):
    built = []
    build = predictor.build_network
    monkeypatch.setattr(predictor, "build_network", lambda model: built.append(1) or build(model))
    apply_images(
        MODEL, [ApplyTask(noise(32, 32)), ApplyTask(noise(2, 32, 32)), ApplyTask(noise(32, 64))], PLAIN
    ).result()
    assert len(built) == 2


def test_a_plane_that_cannot_be_read_is_named_and_the_rest_goes_on():
    orders = [ApplyTask(Image("film", broken(noise(4, 32, 32), 2), (2, 2))), ApplyTask(noise(32, 32))]
    events = list(apply_images(MODEL, orders, PLAIN))
    film, whole = events[-1].result
    assert (film.done, film.planes, whole.done) == (2, 4, 1)
    assert film.result.any(axis=(-2, -1)).tolist() == [[True, True], [False, False]]
    (text,) = [event.text for event in events if isinstance(event, Notice)]
    assert text == film.failure
    assert "'film', plane [1, 0]" in text
    assert "bad sector" in text
    assert "The 2 planes before it are kept" in text


def test_nothing_at_all_is_an_error():
    with pytest.raises(UserError, match=r"'film', plane \[0\].*bad sector"):
        apply_images(MODEL, [ApplyTask(Image("film", broken(noise(1, 32, 32), 0), (1,)))], PLAIN).result()


def test_an_error_of_the_program_names_the_plane(monkeypatch):
    def fail(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(predictor.Predictor, "_pass", fail)
    with pytest.raises(RuntimeError, match=r"plane \[0\]: RuntimeError: mat1"):
        apply_images(MODEL, [ApplyTask(Image("film", noise(3, 32, 32), (3,)))], PLAIN).result()


def test_on_disk_it_is_an_image_other_programs_open(tmp_path):
    stack, out = noise(3, 40, 30), tmp_path / "deep" / "film.zarr"
    grid = ZarrGrid((5.0, 0.2, 0.2), (10.0, 0.0, 1.0), ("pixel", "nanometer", "nanometer"))
    (outcome,) = apply_images(SEGMENTER, [ApplyTask(stack, out, grid=grid)], PLAIN).result()
    assert outcome.result == out
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[:], apply(SEGMENTER, stack, PLAIN))
    assert read_image(out).pixel_size_nm == pytest.approx(0.2)
    (image,) = json.loads((out / "zarr.json").read_text())["attributes"]["ome"]["multiscales"]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    assert (scale["scale"], translation["translation"]) == ([5.0, 0.2, 0.2], [10.0, 0.0, 1.0])
    assert [axis.get("unit") for axis in image["axes"]] == [None, "nanometer", "nanometer"]
    assert read_progress(out).complete


def test_a_run_that_was_stopped_is_resumed(tmp_path):
    stack, out = noise(5, 40, 30), tmp_path / "film.zarr"
    last = stopped_at(2, stack, out)[-1]
    assert (last.stopped, last.result[0].done, last.result[0].planes) == (True, 2, 5)
    record = read_progress(out)
    assert (record.done, record.planes, record.complete) == (2, 5, False)
    assert not zarr.open_array(out / "0", mode="r")[2:].any()
    read = []
    image = Image("image", Watched(stack, read.append), (5,))
    events = list(apply_images(MODEL, [ApplyTask(image, out)], PLAIN))
    assert read == [0, 4, 2, 3, 4], "the first and the last plane say whether it is the same image"
    assert next(event for event in events if isinstance(event, Progress)).fraction > 2 / 5
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[:], apply(MODEL, stack, PLAIN))
    assert read_progress(out).complete


def test_events_come_at_most_ten_times_a_second_however_many_images_there_are(monkeypatch):
    monkeypatch.setattr(meter, "EVENT_SECONDS", 1000.0)
    events = list(apply_images(MODEL, [ApplyTask(noise(2, 32, 32))] * 5, PLAIN))
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == [pytest.approx(0.1), 1.0]


def test_a_disk_that_fills_up_keeps_the_planes_before(tmp_path, monkeypatch):
    stack, out = noise(4, 40, 30), tmp_path / "film.zarr"
    put = ZarrWriter.put

    def full(self, index, plane):
        if index == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, index, plane)

    monkeypatch.setattr(ZarrWriter, "put", full)
    with pytest.raises(UserError, match=r"No space left on device.*apply again to resume"):
        apply_images(MODEL, [ApplyTask(stack, out)], PLAIN).result()
    assert read_progress(out).done == 2
    monkeypatch.setattr(ZarrWriter, "put", put)
    apply_images(MODEL, [ApplyTask(stack, out)], PLAIN).result()
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[:], apply(MODEL, stack, PLAIN))


def test_a_stack_whose_levels_cannot_be_read_does_not_hold_up_the_others():
    model = random_model(scaling=IntensityScaling(per="stack"))
    film = Image("film", broken(noise(100, 200, 200), 0), (100,))
    failed, whole = apply_images(model, [ApplyTask(film), ApplyTask(noise(32, 32))], PLAIN).result()
    assert "film cannot be read (bad sector)" in failed.failure
    assert (failed.done, failed.result, whole.done) == (0, None, 1)


def test_what_is_resumed_keeps_the_levels_of_the_stack(tmp_path):
    stack, out = noise(4, 40, 30) * np.arange(1, 5, dtype=np.float32)[:, None, None], tmp_path / "film.zarr"
    model = random_model(scaling=IntensityScaling(per="stack"))
    (whole,) = apply_images(model, [ApplyTask(stack, out)], PLAIN).result()
    group = zarr.open_group(out, mode="r+")
    group["0"][2:] = 0
    group.attrs["napari_emssl"] = {**group.attrs["napari_emssl"], "done": 2}
    apply_images(model, [ApplyTask(stack, out)], PLAIN).result()
    np.testing.assert_array_equal(zarr.open_array(whole.result / "0", mode="r")[:], apply(model, stack, PLAIN))


def test_what_is_there_is_not_replaced_unless_asked(tmp_path):
    stack, out = noise(2, 40, 30), tmp_path / "film.zarr"
    apply_images(MODEL, [ApplyTask(stack, out)], PLAIN).result()
    job = apply_images(MODEL, [ApplyTask(noise(32, 32)), ApplyTask(stack, out)], PLAIN)
    with pytest.raises(AlreadyDoneError, match="complete already"):
        next(job)
    with pytest.raises(UserError, match="exists already"):
        next(apply_images(SEGMENTER, [ApplyTask(noise(32, 32)), ApplyTask(stack, out)], PLAIN))
    apply_images(SEGMENTER, [ApplyTask(stack, out, overwrite=True)], PLAIN).result()
    assert zarr.open_array(out / "0", mode="r").dtype == np.uint8
    foreign = tmp_path / "mine.zarr"
    foreign.mkdir()
    (foreign / "precious").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"mine\.zarr"):
            apply_images(MODEL, [ApplyTask(stack, foreign, overwrite)], PLAIN).result()
    assert (foreign / "precious").read_text() == "mine"


def test_what_is_complete_among_several_is_left_as_it_is(tmp_path):
    stack, read = noise(2, 40, 30), []
    image = Image("image", Watched(stack, read.append), (2,))
    apply_images(MODEL, [ApplyTask(image, tmp_path / "a.zarr")], PLAIN).result()
    orders = [ApplyTask(image, tmp_path / "a.zarr"), ApplyTask(stack, tmp_path / "b.zarr")]
    events = list(apply_images(MODEL, orders, PLAIN))
    assert [outcome.done for outcome in events[-1].result] == [2, 2]
    assert not events[-1].stopped
    assert read == [0, 1, 0, 1, 0, 1], "the first and the last plane say whether it is the same image"
    assert (zarr.open_array(tmp_path / "b.zarr" / "0", mode="r")[:] == apply(MODEL, stack, PLAIN)).all()


@pytest.mark.parametrize("differs", [0, 3])
@pytest.mark.parametrize("done", [1, 4])
def test_another_image_of_the_same_name_is_not_taken_for_it(tmp_path, differs, done):
    stack, out = noise(4, 40, 30), tmp_path / "film.zarr"
    apply_images(MODEL, [ApplyTask(Image("film", stack, (4,)), out)], PLAIN).result()
    group = zarr.open_group(out, mode="r+")
    group.attrs["napari_emssl"] = {**group.attrs["napari_emssl"], "done": done}
    other = stack.copy()
    other[differs] += 1
    tasks = [ApplyTask(Image("film", other, (4,)), out), ApplyTask(noise(32, 32))]
    with pytest.raises(UserError, match="another image that is called 'film'"):
        apply_images(MODEL, tasks, PLAIN).result()
    apply_images(MODEL, [ApplyTask(Image("film", other, (4,)), out, overwrite=True)], PLAIN).result()
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[:], apply(MODEL, other, PLAIN))


def test_a_begun_result_of_another_model_is_not_resumed(tmp_path):
    stack, out = noise(4, 40, 30), tmp_path / "film.zarr"
    stopped_at(1, stack, out)
    other = random_model(description="another")
    with pytest.raises(UserError, match="exists already"):
        apply_images(other, [ApplyTask(stack, out)], PLAIN).result()


@pytest.mark.parametrize(
    ("shape", "name", "sentence"), [((2, 2, 2, 8, 8), "a.zarr", "four|4 axes"), ((8, 8), "a.tif", ".zarr")]
)
def test_places_that_cannot_take_the_result(tmp_path, shape, name, sentence):
    with pytest.raises(UserError, match=sentence):
        apply_images(MODEL, [ApplyTask(noise(*shape), tmp_path / name)], PLAIN).result()


def test_a_finer_grid(tmp_path):
    model = random_model(upscale=2)
    stack, out = noise(2, 40, 30), tmp_path / "film.zarr"
    memory, _ = apply_images(model, [ApplyTask(stack), ApplyTask(stack, out)], PLAIN).result()
    assert memory.result.shape == (2, 80, 60)
    np.testing.assert_array_equal(zarr.open_array(out / "0", mode="r")[:], memory.result)


def test_stop_leaves_a_pass_through_the_network_in_the_middle(monkeypatch):
    job = apply_images(MODEL, [ApplyTask(noise(2, 64, 64))], PLAIN)
    layers = []
    gate = predictor.StopHook.__call__

    def counting(self, *inputs):
        layers.append(1)
        if len(layers) == 3:
            job.stop()
        gate(self, *inputs)

    monkeypatch.setattr(predictor.StopHook, "__call__", counting)
    assert job.result()[0].done == 0
    assert len(layers) == 3
