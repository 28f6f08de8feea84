"""Painted pixels become a model at once, and it is a model like any other."""

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.settings import ApplySettings, ContextSettings, FinetuneSettings
from napari_emssl.models.model_file import Card, Model, NetworkSpec, read_model, save_model
from napari_emssl.models.weights import network_of, to_numpy
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.in_context.segment import in_context

PLAIN = ApplySettings(device="cpu", precision="fp32")
SETTINGS = ContextSettings(device="cpu", precision="fp32")


def generator() -> Model:
    """A generator whose pixels have vectors (grey value, 1 - grey value): everything but the skip is switched off."""
    spec = NetworkSpec(name="unet-2-44", width=4, out_channels=3, vector_channels=2)
    weights = {name: np.zeros_like(array) for name, array in to_numpy(network_of(spec).state_dict()).items()}
    for name, array in weights.items():
        if name.endswith(("running_var", "norm1.weight", "norm2.weight")):
            array[...] = 1
        elif name.endswith("shortcut.weight"):
            array[0, 0] = 1
    head = next(name for name in weights if name.startswith("head") and name.endswith("weight"))
    weights[head][:2, 0, 0, 0] = 1, -1
    weights[head.replace("weight", "bias")][1] = 1
    return Model(Card(name="vectors", task="reconstruct", network=spec), weights)


def scene(seed: int = 0, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares on dark ground: the image and which pixels are square."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((size, size), bool)
    for row in range(8, size - 16, 28):
        for column in range(8, size - 16, 28):
            truth[row : row + 14, column : column + 14] = True
    return (100 + 100 * truth + 5 * rng.standard_normal(truth.shape)).astype(np.float32), truth


def dice(labels: np.ndarray, truth: np.ndarray) -> float:
    return 2 * ((labels > 0) & truth).sum() / ((labels > 0).sum() + truth.sum())


def painted(truth: np.ndarray) -> np.ndarray:
    painting = np.zeros(truth.shape, np.uint8)
    painting[8:22, 8:22] = 2
    painting[24:34, 8:34] = 1
    painting[:4], painting[-3:], painting[:, :3], painting[:, -3:] = 1, 1, 1, 1  # networks see the border of an image
    return painting


def test_pixels_like_the_painted_ones_are_found_without_training() -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, generator(), class_names=["square"])
    labels = apply(model, image, PLAIN)
    assert [info.name for info in model.card.classes] == ["background", "square"]
    assert dice(labels, truth) > 0.9


def test_it_is_saved_and_applied_to_other_images_in_tiles(tmp_path) -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, generator())
    again = read_model(save_model(model, tmp_path / "squares.safetensors"))
    other = scene(1, 160)[0]
    whole = apply(model, other, PLAIN)
    tiled = apply(again, other, PLAIN.model_copy(update={"tile": 64}))
    assert np.array_equal(whole, tiled)


def test_what_is_not_painted_changes_nothing() -> None:
    image, truth = scene()
    far = image.copy()
    far[60:90, 60:90] = image[60:90, 60:90][::-1]
    one, other = (in_context([each], [painted(truth)], SETTINGS, generator()) for each in (image, far))
    for name, weights in one.weights.items():
        np.testing.assert_allclose(weights, other.weights[name], atol=1e-5)


def test_paint_on_several_images_is_one_context() -> None:
    (first, truth), (second, _) = scene(0), scene(1)
    nothing = np.zeros_like(painted(truth))
    ground, square = nothing.copy(), nothing.copy()
    ground[painted(truth) == 1], square[painted(truth) == 2] = 1, 2
    model = in_context([first, second], [ground, square], SETTINGS, generator())
    assert (
        2 * (apply(model, second, PLAIN).astype(bool) & truth).sum() / (apply(model, second, PLAIN).sum() + truth.sum())
        > 0.9
    )


def test_several_classes() -> None:
    image, truth = scene()
    painting = painted(truth)
    image[8:22, 36:50] = 400
    painting[8:22, 36:50] = 3
    labels = apply(in_context([image], [painting], SETTINGS, generator()), image, PLAIN)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert (labels[10:20, 38:48] == 2).mean() > 0.9


def test_fine_tuning_begins_from_it() -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, generator())
    settings = FinetuneSettings(steps=2, batch_size=1, patch=32, device="cpu", precision="fp32", learning_rate=1e-5)
    tuned = finetune([image], [painted(truth)], settings, start=model).result()
    assert (apply(tuned, image, PLAIN) == apply(model, image, PLAIN)).mean() > 0.99


def test_classes_without_background_are_refused() -> None:
    image, truth = scene()
    painting = painted(truth)
    painting[painting == 1] = 3
    with pytest.raises(UserError, match=r"No background is painted\. Paint some"):
        in_context([image], [painting], SETTINGS, generator())


def test_a_generator_without_vectors_is_refused() -> None:
    image, truth = scene()
    with pytest.raises(UserError, match="gives pixels no vectors"):
        in_context([image], [painted(truth)], SETTINGS, "unet-2-44")
