"""Apply: tiles equal the whole, any input, memory that runs out, stop, results on disk."""

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_images import FP32, PLAIN, noise
from random_models import random_model, whole

import napari_emssl as em
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.errors import UserError
from napari_emssl.inference import memory, predictor
from napari_emssl.inference.apply import apply, apply_job
from napari_emssl.jobs.events import Finished, Notice, Preview, Progress, Started
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.networks.generators import UNET_DILATIONS

TILES = ApplySettings(tile=32, **FP32)
MODEL = random_model()
SEGMENTER = random_model(task="segment")


def expected(model, plane):
    """What one pass over the whole plane gives, in the units of the plane."""
    return model.card.scaling.fit(plane).from_unit(whole(model, plane)[0])


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(tuple(UNET_DILATIONS)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 600)),
    tile=st.sampled_from((32, 64, 160)),
    turned=st.booleans(),
)
def test_tiled_equals_whole(name, size, tile, turned):
    model, plane = random_model(name), noise(*size)
    plane = plane.T if turned else plane
    result = apply(model, plane, ApplySettings(tile=tile, **FP32))
    np.testing.assert_allclose(result, expected(model, plane), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("name", tuple(UNET_DILATIONS))
def test_tiled_equals_whole_for_every_network(name):
    model, plane = random_model(name), noise(577, 47)
    result = apply(model, plane, TILES)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected(model, plane), rtol=1e-4, atol=1e-2)


def test_without_a_halo_there_are_seams():
    """The test above can fail."""
    plane = noise(200, 47)
    result = apply(MODEL, plane, ApplySettings(tile=32, halo=0, **FP32))
    assert np.abs(result - expected(MODEL, plane)).max() > 1


@pytest.mark.parametrize("model", [SEGMENTER, random_model(task="segment", classes=("bg", "a", "b"))])
def test_labels_are_the_likeliest_class(model):
    plane = noise(91, 70)
    labels, probabilities = apply(model, plane, TILES), whole(model, plane)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == set(range(len(model.card.classes)))
    first, second = np.sort(probabilities, axis=0)[:-3:-1]
    clear = first - second > 1e-3
    np.testing.assert_array_equal(labels[clear], probabilities.argmax(0)[clear])
    assert clear.mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 5000)])
def test_odd_shapes(shape):
    result = apply(MODEL, noise(*shape), PLAIN)
    assert result.shape == shape
    assert np.isfinite(result).all()


def test_leading_axes_stay():
    stack = noise(2, 3, 40, 30)
    result = apply(MODEL, stack, PLAIN)
    assert result.shape == stack.shape
    np.testing.assert_allclose(result[1, 2], apply(MODEL, stack[1, 2], PLAIN), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", ">u2", "float16"])
def test_dtypes_give_the_same_labels(dtype):
    grey = np.random.default_rng(0).integers(0, 250, (60, 50))
    np.testing.assert_array_equal(apply(SEGMENTER, grey.astype(dtype), PLAIN), apply(SEGMENTER, grey, PLAIN))


def test_bool_and_colour():
    mask = noise(40, 50) > 100
    np.testing.assert_array_equal(apply(SEGMENTER, mask, PLAIN), apply(SEGMENTER, mask.astype(np.uint8), PLAIN))
    grey = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(apply(SEGMENTER, colour, PLAIN), apply(SEGMENTER, grey, PLAIN))


def test_restoration_is_in_the_units_of_the_input():
    plane = noise(64, 64)
    np.testing.assert_allclose(
        apply(MODEL, plane * 1000 - 5, PLAIN), apply(MODEL, plane, PLAIN) * 1000 - 5, rtol=1e-3, atol=100
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite(value):
    plane = noise(64, 64)
    plane[10:12, 10:12] = value
    assert np.isfinite(apply(MODEL, plane, PLAIN)).all()


@pytest.mark.parametrize(("model", "there"), [(MODEL, "made up"), (SEGMENTER, "nothing there")])
def test_pixels_without_a_value_are_told(model, there):
    film = np.stack([noise(40, 50)] * 3)
    film[1], film[2, :2, 0] = np.nan, np.inf
    texts = [event.text for event in apply_job(model, film, PLAIN) if isinstance(event, Notice)]
    assert len(texts) == 1
    assert texts[0].startswith("2002 pixels of image, in 2 planes, have no value")
    assert there in texts[0]


@pytest.mark.parametrize(("offset", "told"), [(0.0, 0), (1e5, 0), (1e9, 1)])
def test_values_that_float32_cannot_hold_are_told(offset, told):
    plane = noise(40, 50).astype(np.float64)
    plane = np.rint(200 * (plane - plane.min()) / np.ptp(plane)) + offset
    assert sum(isinstance(event, Notice) for event in apply_job(MODEL, plane, PLAIN)) == told
    assert not any(isinstance(event, Notice) for event in apply_job(SEGMENTER, plane, PLAIN))


def test_constant_image():
    result = apply(MODEL, np.full((40, 40), 7, np.uint8), PLAIN)
    assert np.isfinite(result).all()
    assert set(np.unique(apply(SEGMENTER, np.zeros((40, 40)), PLAIN))) <= {0, 1}


@pytest.mark.parametrize("bad", [np.zeros((0, 5)), np.zeros(5), np.zeros((5, 5), complex), np.array([["a"]])])
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(UserError):
        apply(MODEL, bad, PLAIN)


def test_levels_belong_to_the_plane_or_to_the_stack():
    stack = np.stack([noise(40, 40), noise(40, 40) * 10])
    per_plane = apply(MODEL, stack, PLAIN)
    np.testing.assert_allclose(per_plane[1], apply(MODEL, stack[1], PLAIN), rtol=1e-5)
    shared = random_model(scaling=IntensityScaling(per="stack"))
    levels = shared.card.scaling.fit(stack)
    per_stack = apply(shared, stack, PLAIN)
    np.testing.assert_allclose(per_stack[0], levels.from_unit(whole(shared, stack[0], levels)[0]), rtol=1e-4, atol=0.1)
    assert np.abs(per_stack[0] - per_plane[0]).max() > 10


def test_batches_change_nothing():
    stack = noise(5, 100, 70)
    one = apply(MODEL, stack, TILES)
    for batch, tile in ((3, 32), (64, 32), (3, None)):
        many = apply(MODEL, stack, ApplySettings(tile=tile, batch_size=batch, **FP32))
        np.testing.assert_allclose(many, one, rtol=1e-4, atol=1e-2)


def test_batches_share_a_pass(monkeypatch):
    seen = spy_on_network(monkeypatch)
    apply(MODEL, noise(5, 40, 40), ApplySettings(batch_size=4, **FP32))
    assert [shape[0] for shape in seen] == [4, 1]


@pytest.fixture
def usual_threads():
    """The number of threads that the other tests compute with is as it was afterwards."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("shape", "tile"), [((5, 64, 70), None), ((130, 70), 32), ((2, 90, 70), 32)])
def test_passes_side_by_side_give_every_bit_of_one_after_the_other(usual_threads, shape, tile, precision):
    stack = noise(*shape)
    one, two = (
        apply(MODEL, stack, ApplySettings(tile=tile, device="cpu", precision=precision, threads=threads))
        for threads in ("1", "2")
    )
    np.testing.assert_array_equal(two, one)


def test_a_plane_that_is_alone_is_cut_for_all_threads(usual_threads, monkeypatch):
    seen, run = [], predictor.Predictor._pass
    monkeypatch.setattr(
        predictor.Predictor, "_pass", lambda self, stack, batch: seen.append(1) or run(self, stack, batch)
    )
    for height, pieces in ((512, 2), (40, 1)):  # with halos on 40 px there would be no gain
        seen.clear()
        plane = noise(height, 47)
        result = apply(MODEL, plane, ApplySettings(threads="2", **FP32))
        assert len(seen) == pieces
        np.testing.assert_allclose(result, expected(MODEL, plane), rtol=1e-4, atol=1e-2)


def test_augmentation_makes_the_result_turn_with_the_image():
    averaged = ApplySettings(test_time_augmentation=True, **FP32)
    plane = noise(64, 96)
    result = apply(MODEL, plane, averaged)
    np.testing.assert_allclose(apply(MODEL, np.rot90(plane), averaged), np.rot90(result), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(apply(MODEL, plane[:, ::-1], averaged), result[:, ::-1], rtol=1e-3, atol=1e-2)
    assert not np.allclose(apply(MODEL, plane[:, ::-1], PLAIN), apply(MODEL, plane, PLAIN)[:, ::-1], atol=1)
    tiled = apply(MODEL, plane, ApplySettings(tile=32, test_time_augmentation=True, **FP32))
    np.testing.assert_allclose(tiled, result, rtol=1e-4, atol=1e-2)


def spy_on_network(monkeypatch, fail=lambda _shape, _calls: None):
    """Record the shape of every pass (the memory probe left out); `fail` may raise before it."""
    seen = []
    build = predictor.build_network

    def spied(model):
        network = build(model)
        forward = network.forward

        def recorded(x):
            fail(tuple(x.shape), len(seen))
            seen.append(tuple(x.shape))
            return forward(x)

        network.forward = recorded
        return network

    monkeypatch.setattr(predictor, "build_network", spied)
    monkeypatch.setattr(memory, "bytes_per_pixel", lambda *_: 100.0)
    return seen


def out_of_memory_above(pixels):
    def fail(shape, _calls):
        if shape[0] * shape[-1] * shape[-2] > pixels:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    return fail


def test_out_of_memory_halves_the_tile_and_the_result_is_the_same(monkeypatch):
    plane = noise(300, 280)
    alone = apply(MODEL, plane, PLAIN)
    spy_on_network(monkeypatch, out_of_memory_above(120 * 120))
    events = list(apply_job(MODEL, plane, PLAIN))
    warnings = [event.text for event in events if isinstance(event, Notice)]
    assert len(warnings) == 2
    assert "out of memory" in warnings[0]
    assert "160 px" in warnings[0]
    np.testing.assert_allclose(events[-1].result, alone, rtol=1e-4, atol=1e-2)
    assert not events[-1].stopped


def test_out_of_memory_first_gives_up_the_batch(monkeypatch):
    stack = noise(4, 40, 40)
    alone = apply(MODEL, stack, PLAIN)
    seen = spy_on_network(monkeypatch, out_of_memory_above(2 * 40 * 40))
    result = apply(MODEL, stack, ApplySettings(batch_size=4, **FP32))
    assert [shape[0] for shape in seen] == [2, 2]
    np.testing.assert_allclose(result, alone, rtol=1e-4, atol=1e-2)


def test_after_out_of_memory_the_work_goes_on_from_where_it_was(monkeypatch):
    failures = []

    def third_pass_fails(_shape, calls):
        if calls == 2 and not failures:
            failures.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory.")

    plane = noise(64, 256)
    alone = apply(MODEL, plane, PLAIN)
    seen = spy_on_network(monkeypatch, third_pass_fails)
    events = list(apply_job(MODEL, plane, ApplySettings(tile=64, **FP32)))
    assert len(seen) == 2 + 2 * 4
    np.testing.assert_allclose(events[-1].result, alone, rtol=1e-4, atol=1e-2)
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.fraction == 1.0
    assert last.step == last.total == 10


def test_too_little_memory_for_the_smallest_tile_is_a_sentence(monkeypatch):
    spy_on_network(monkeypatch, out_of_memory_above(0))
    with pytest.raises(UserError, match="too little memory even for tiles of 32 px"):
        apply(MODEL, noise(100, 100), PLAIN)


def test_other_errors_are_not_taken_for_out_of_memory(monkeypatch):
    def fail(_shape, _calls):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    spy_on_network(monkeypatch, fail)
    with pytest.raises(RuntimeError, match="mat1"):
        apply(MODEL, noise(100, 100), PLAIN)


def test_the_network_is_built_once_for_all_planes(monkeypatch):
    built = []
    build = predictor.build_network
    monkeypatch.setattr(predictor, "build_network", lambda model: built.append(1) or build(model))
    apply(MODEL, noise(4, 32, 32), PLAIN)
    assert built == [1]


def test_events_of_a_stack():
    events = list(apply_job(SEGMENTER, noise(3, 40, 64), TILES))
    assert isinstance(events[0], Started)
    assert "3 planes of 40 x 64 px in 4 tiles of 32 px, halo 24 px, about" in events[0].summary
    progress = [event for event in events if isinstance(event, Progress)]
    assert all(event.total == 12 for event in progress)
    assert progress[-1].fraction == 1.0
    assert [event.step for event in progress] == sorted({event.step for event in progress})
    preview = next(event for event in events[::-1] if isinstance(event, Preview))
    assert preview.images["image"].shape == preview.images["prediction"].shape == (40, 64)
    assert isinstance(events[-1], Finished)
    assert not events[-1].stopped


def test_stop_hands_over_the_planes_that_are_done():
    stack = noise(4, 40, 64)
    job = apply_job(MODEL, stack, TILES)
    events = []
    for event in job:
        events.append(event)
        if isinstance(event, Preview):
            job.stop()
    assert events[-1].stopped
    done = int((events[-1].result != 0).any(axis=(1, 2)).sum())
    assert 0 < done < 4
    np.testing.assert_array_equal(events[-1].result[:done], apply(MODEL, stack, TILES)[:done])
    assert any(isinstance(event, Notice) and f"after {done} of 4 planes" in event.text for event in events)


def test_stop_between_the_tiles_of_one_plane(monkeypatch):
    seen = spy_on_network(monkeypatch)
    job = apply_job(MODEL, noise(320, 320), TILES)
    for event in job:
        if isinstance(event, Progress):
            job.stop()
    assert len(seen) == 1
    assert event.stopped
    assert not event.result.any()


def test_stop_after_the_last_tile_is_no_early_end():
    job = apply_job(MODEL, noise(40, 40), PLAIN)
    for event in job:
        if isinstance(event, Progress) and event.fraction == 1:
            job.stop()
    assert not event.stopped
    assert event.result.any()


class Lazy:
    """A stack that notes what is read of it."""

    def __init__(self, array):
        self._array, self.reads = array, []
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, index):
        self.reads.append(index)
        return self._array[index]


def test_planes_of_a_lazy_stack_are_read_once_and_one_by_one():
    stack = Lazy(noise(5, 32, 32))
    counts = []
    for event in apply_job(MODEL, stack, PLAIN):
        if isinstance(event, Preview):
            counts.append((event.step, len(stack.reads)))
    assert stack.reads == [0, 1, 2, 3, 4]
    assert counts[0][0] == 1
    assert counts[0][1] <= 3  # the plane at hand, one that is ready, and one that is read meanwhile


def test_a_dask_stack_is_computed_plane_by_plane():
    computed = []

    def block(block_info):
        computed.append(block_info[None]["chunk-location"][0])
        return noise(1, 32, 48, seed=computed[-1])

    stack = da.map_blocks(block, chunks=((1,) * 4, (32,), (48,)), dtype=np.float32, meta=np.zeros((0, 0, 0), "f4"))
    result = apply(MODEL, stack, PLAIN)
    assert computed == [0, 1, 2, 3]
    np.testing.assert_allclose(result[2], apply(MODEL, noise(1, 32, 48, seed=2)[0], PLAIN), rtol=1e-5)


@pytest.mark.parametrize("name", ["result.npy", "result.zarr", "deep/result.zarr"])
def test_result_written_plane_by_plane(tmp_path, name):
    stack = noise(3, 40, 30)
    result = apply_job(SEGMENTER, stack, PLAIN, out=tmp_path / name).result()
    assert not isinstance(result, np.ndarray) or isinstance(result, np.memmap)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[:], apply(SEGMENTER, stack, PLAIN))
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [(tmp_path / name).name]


def test_result_into_a_given_array():
    stack = noise(2, 2, 40, 30)
    for out in (
        np.zeros(stack.shape, np.uint8),
        zarr.zeros(stack.shape, dtype="u1"),
        zarr.zeros(stack.shape[-2:], dtype="u1"),
    ):
        source = stack if out.ndim == 4 else stack[0, 0]
        assert apply_job(SEGMENTER, source, PLAIN, out=out).result() is out
        np.testing.assert_array_equal(out[...], apply(SEGMENTER, source, PLAIN))


def test_results_replace_nothing(tmp_path):
    out = tmp_path / "result.npy"
    out.write_bytes(b"mine")
    with pytest.raises(UserError, match="exists"):
        apply_job(MODEL, noise(40, 30), PLAIN, out=out).result()
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("out", "sentence"),
    [("result.tif", "npy or .zarr"), (np.zeros((3, 3)), "shape"), (b"", "shape")],
)
def test_places_that_cannot_take_the_result(tmp_path, out, sentence):
    with pytest.raises(UserError, match=sentence):
        apply_job(MODEL, noise(40, 30), PLAIN, out=tmp_path / out if isinstance(out, str) else out).result()


def test_a_failed_run_leaves_no_file(tmp_path):
    class Broken(Lazy):
        def __getitem__(self, index):
            if index == 2:
                raise OSError("bad sector")
            return super().__getitem__(index)

    with pytest.raises(UserError, match="bad sector"):
        apply_job(MODEL, Broken(noise(3, 40, 30)), PLAIN, out=tmp_path / "result.zarr").result()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("pixel_size_nm", "warned"), [(0.1, False), (0.5, False), (1.5, True), (None, False)])
def test_a_foreign_pixel_size_is_told(pixel_size_nm, warned):
    model = random_model(pixel_size_nm=(0.1, 0.3))
    image = em.Image("image", noise(1, 40, 40), (), pixel_size_nm)
    texts = [event.text for event in apply_job(model, image, PLAIN) if isinstance(event, Notice)]
    assert bool(texts) == warned


def test_a_model_is_found_by_its_file(tmp_path):
    path = em.save_model(SEGMENTER, tmp_path / "mine.safetensors")
    np.testing.assert_array_equal(em.apply(path, noise(40, 30), PLAIN), apply(SEGMENTER, noise(40, 30), PLAIN))
    with pytest.raises(UserError, match=r"no\.safetensors"):
        apply(tmp_path / "no.safetensors", noise(40, 30), PLAIN)


def test_real_micrographs(shared_data):
    path = sorted((shared_data / "unlabelled" / "permissive" / "nerve").iterdir())[0]
    image = em.read_image(path)
    labels = apply(SEGMENTER, image, PLAIN)
    assert labels.shape == (*image.leading, *image.plane_shape)


def test_pixels_that_are_not_finite_get_no_label():
    weights = {name: array + 50 if name == "head.bias" else array for name, array in SEGMENTER.weights.items()}
    plane = noise(40, 48).astype(np.float32)
    plane[3:9, 5], plane[20, 20] = np.nan, np.inf
    labels = apply(em.Model(SEGMENTER.card, weights), plane, TILES)
    np.testing.assert_array_equal(labels == 0, ~np.isfinite(plane))


@pytest.mark.parametrize("task", ["segment", "denoise"])
def test_weights_so_large_that_nothing_finite_comes_out_are_refused(task):
    model = random_model(task=task)
    huge = {name: np.full_like(array, 3e38) if array.dtype.kind == "f" else array
            for name, array in model.weights.items()}  # fmt: skip
    with pytest.raises(UserError, match=r"'random' gives values that are not finite.*Use another model"):
        apply(em.Model(model.card, huge), np.random.default_rng(0).random((40, 40)))
