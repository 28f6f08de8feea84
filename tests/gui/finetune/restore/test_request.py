import dask.array as da
import numpy as np
import pytest
from napari.layers import Image
from scipy import ndimage

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.restore.request import check_pair, pair_of, restore_request
from napari_emssl.gui.layers.layers import METADATA_KEY
from napari_emssl.gui.layers.matching import likely_pair, partner_of
from napari_emssl.jobs.settings import FinetuneSettings


def stack(n=3, height=48, width=64, seed=0):
    """A clean stack and the same with noise."""
    rng = np.random.default_rng(seed)
    clean = ndimage.gaussian_filter(rng.random((n, height, width)) > 0.98, (0, 2, 2), output=float) * 100
    return clean + rng.normal(0, 1, clean.shape), clean


def request_of(layers, task="denoise", **more):
    return restore_request(layers, FinetuneSettings(task=task), **more)


def layer(array, name="image", **options):
    return Image(array, name=name, **options)


def test_stacks_are_paired_plane_by_plane_and_read_late():
    noisy, clean = stack()
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return noisy[read[-1] : read[-1] + 1]

    lazy = da.map_blocks(block, chunks=((1,) * 3, 48, 64), dtype=float, meta=np.array((), float))
    request = request_of([(layer(lazy, contrast_limits=(0, 1), cache=False), layer(clean, "clean"))])
    read.clear()
    assert [len(image) for image in request.images()] == [len(image) for image in request.targets()] == [3]
    assert read == []
    np.testing.assert_array_equal(request.targets()[0].plane(2), clean[2])
    assert request.pairs[0].check().describe().startswith("They fit")


def test_images_of_a_simulation_are_images_of_their_own():
    noisy, clean = stack()
    made = {METADATA_KEY: {"simulated": {"run": 1, "kind": "image"}}}
    request = request_of([(layer(noisy, "a", metadata=made), layer(clean, "b"))])
    assert [image.name for image in request.images()] == ["a [0]", "a [1]", "a [2]"]
    np.testing.assert_array_equal([target.plane(0) for target in request.targets()], clean)


def test_without_clean_images_there_are_no_targets():
    noisy, _ = stack()
    request = request_of([(layer(noisy), None), (layer(noisy[0]), layer(noisy[0]))], alone=True)
    assert request.targets() is None
    assert [len(image) for image in request.images()] == [3, 1]


NOISY, CLEAN = stack()
FINE = np.kron(CLEAN, np.ones((2, 2)))
ONE = layer(NOISY, "N")


@pytest.mark.parametrize(
    ("layers", "task", "text"),
    [
        ([], "denoise", "no image layer"),
        ([(None, None)], "denoise", "no image layer"),
        ([(ONE, None)], "denoise", "Choose the clean image of 'N'"),
        ([(ONE, ONE)], "denoise", "Choose the clean image of 'N'"),
        ([(ONE, layer(CLEAN[:2], "C"))], "denoise", "'N' is 3 x 48 x 64 and 'C' is 2 x 48 x 64: each plane needs"),
        ([(ONE, layer(CLEAN[..., :50], "C"))], "denoise", "'N' and 'C': Sizes 48 x 64 and 48 x 50 differ"),
        ([(ONE, layer(FINE, "F"))], "denoise", "finer grid, which only super-resolution can learn"),
        ([(ONE, layer(FINE, "F")), (ONE, layer(CLEAN, "C"))], "super-resolve", "one model for each kind of pair"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(layers, task, text):
    with pytest.raises(UserError, match=text):
        request_of(layers, task)


def test_a_finer_target_is_taken_for_super_resolution():
    pair = pair_of("super-resolve", layer(NOISY, scale=(1, 2, 2)), layer(FINE, "F"))
    assert pair.factor == 2
    assert "results on that grid" in pair.check().describe()
    assert pair.doubt == ""


@pytest.mark.parametrize(
    ("scales", "units", "doubtful"),
    [((0.1, 0.1), "nm", False), ((0.1, 0.2), "nm", True), ((1, 2), "pixel", True), ((0.1, 0.101), "nm", False)],
)
def test_pixel_sizes_that_contradict_the_grids_are_said(scales, units, doubtful):
    one, other = (
        layer(array, scale=(1, scale, scale), units=("pixel", units, units))
        for array, scale in zip((NOISY, CLEAN), scales, strict=True)
    )
    pair = pair_of("denoise", one, other)
    assert bool(pair.doubt) is doubtful
    assert not pair.check().trouble
    assert (pair.doubt in pair.check().doubt) is doubtful or not doubtful


@pytest.mark.parametrize("number", range(3))
def test_one_clean_plane_is_paired_with_its_own(number):
    request = request_of([(layer(NOISY, "N"), layer(CLEAN[number], "C"))])
    (image,), (target,) = request.images(), request.targets()
    np.testing.assert_array_equal(image.plane(0), NOISY[number])
    np.testing.assert_array_equal(target.plane(0), CLEAN[number])
    assert not request.pairs[0].check().trouble


def test_a_wrong_pair_is_refused_by_name():
    other = stack(seed=7)[1]
    pair = pair_of("denoise", layer(NOISY, "N"), layer(other, "other"))
    with pytest.raises(UserError, match="'N' and 'other': They do not show the same"):
        check_pair(pair, pair.check())
    good = pair_of("denoise", layer(NOISY, "N"), layer(CLEAN, "C"))
    check_pair(good, good.check())


def test_colours_and_many_axes():
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 255, (2, 3, 16, 18, 3), np.uint8)
    request = request_of([(layer(colours, rgb=True), layer(colours[..., 0].astype(float), "C"))])
    assert (len(request.images()[0]), len(request.targets()[0])) == (6, 6)


def named(*names, array=NOISY[0]):
    return [layer(array, name) for name in names]


@pytest.mark.parametrize(
    ("task", "best"),
    [("denoise", "film | clean"), ("remove-background", "film | flat"), ("super-resolve", "film | fine")],
)
def test_the_partner_is_known_by_its_name(task, best):
    layers = named("film | noisy", "film | flat", "film | clean", "other clean")
    layers.append(layer(FINE[0], "film | fine"))
    assert partner_of(layers[0], layers, task).name == best


def test_a_fitting_choice_stays():
    noisy, mine, clean = named("noisy", "mine", "clean")
    assert partner_of(noisy, [noisy, mine], "denoise", mine) is None
    assert partner_of(noisy, [noisy, mine, clean], "denoise", clean) is None
    assert partner_of(noisy, [noisy, mine], "denoise", noisy) is mine
    assert partner_of(noisy, [noisy, layer(NOISY[0, :9], "clean")], "denoise") is None
    assert partner_of(None, [noisy], "denoise") is None


def test_a_simulation_knows_its_truths():
    made = [layer(NOISY[0], kind, metadata={METADATA_KEY: {"simulated": {"run": run, "kind": kind}}})
            for run in (1, 2) for kind in ("image", "noNoise", "noBackgroundnoNoise")]  # fmt: skip
    assert partner_of(made[0], made, "remove-background") is made[2]
    assert partner_of(made[3], made, "denoise") is made[4]


def test_the_likely_pair_of_many_layers():
    layers = named("film | fine", "film | flat", "film | clean", "film | noisy", "something else")
    assert [one.name for one in likely_pair(layers, "denoise")] == ["film | noisy", "film | clean"]
    assert likely_pair(layers[:1], "denoise") is None
