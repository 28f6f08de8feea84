import numpy as np
from napari.layers import Image, Labels

from napari_emssl.gui.layers.layers import METADATA_KEY
from napari_emssl.gui.layers.matching import lie_alike, painting_of

IMAGE = Image(np.zeros((3, 20, 20)), name="film", scale=(1, 0.5, 0.5))


def labels(name, shape=(3, 20, 20), **more):
    return Labels(np.zeros(shape, int), name=name, **more)


def test_the_painting_named_after_the_image_is_its_own():
    older, newer = labels("film | painting"), labels("film | painting [1]")
    assert painting_of(IMAGE, [older, labels("masks"), newer]) is newer
    assert painting_of(IMAGE, [labels("film | painting", (3, 10, 10)), older]) is older


def test_else_the_only_one_on_the_grid():
    result = labels("film | model", metadata={METADATA_KEY: {"model": "m"}})
    masks = labels("masks")
    assert painting_of(IMAGE, [labels("small", (10, 10)), masks, result]) is masks
    assert painting_of(IMAGE, [masks, labels("more")]) is None
    assert painting_of(IMAGE, [result]) is None
    assert painting_of(None, [masks]) is None


def test_colours_are_no_axis_of_the_grid():
    colours = Image(np.zeros((20, 20, 3)), rgb=True, name="rgb")
    drawn = labels("x", (20, 20))
    assert painting_of(colours, [drawn]) is drawn


def test_layers_that_cover_each_other():
    assert lie_alike(IMAGE, labels("p", scale=(1, 0.5, 0.5)))
    assert not lie_alike(IMAGE, labels("p"))
    assert not lie_alike(IMAGE, labels("p", scale=(1, 0.5, 0.5), translate=(0, 2, 0)))
