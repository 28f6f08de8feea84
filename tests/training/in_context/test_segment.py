"""Painted pixels become a model at once, and it is a model like any other."""

from pathlib import Path

import numpy as np
import pytest
from grey_vectors import grey_generator, painted, scene

from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.events import Preview
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.models.heads import with_classes
from napari_emssl.models.model_file import Model, read_model, save_model
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.in_context.segment import in_context

PLAIN = ApplySettings(device="cpu", precision="fp32")
SETTINGS = ContextSettings(device="cpu", precision="fp32")


def dice(labels: np.ndarray, truth: np.ndarray) -> float:
    return 2 * ((labels > 0) & truth).sum() / ((labels > 0).sum() + truth.sum())


def test_pixels_like_the_painted_ones_are_found_without_training() -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, grey_generator(), class_names=["square"])
    labels = apply(model, image, PLAIN)
    assert [info.name for info in model.card.classes] == ["background", "square"]
    assert dice(labels, truth) > 0.9


def test_it_is_saved_and_applied_to_other_images_in_tiles(tmp_path: Path) -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, grey_generator())
    again = read_model(save_model(model, tmp_path / "squares.safetensors"))
    other = scene(1, 160)[0]
    whole = apply(model, other, PLAIN)
    tiled = apply(again, other, PLAIN.model_copy(update={"tile": 64}))
    assert np.array_equal(whole, tiled)


def test_what_is_not_painted_changes_nothing() -> None:
    image, truth = scene()
    far = image.copy()
    far[60:90, 60:90] = image[60:90, 60:90][::-1]
    alone = SETTINGS.model_copy(update={"filter_share": 0.0})  # filters see what lies 70 px away
    one, other = (in_context([each], [painted(truth)], alone, grey_generator()) for each in (image, far))
    for name, weights in one.weights.items():
        np.testing.assert_allclose(weights, other.weights[name], atol=1e-5)


def test_paint_on_several_images_is_one_context() -> None:
    (first, truth), (second, _) = scene(0), scene(1)
    nothing = np.zeros_like(painted(truth))
    ground, square = nothing.copy(), nothing.copy()
    ground[painted(truth) == 1], square[painted(truth) == 2] = 1, 2
    model = in_context([first, second], [ground, square], SETTINGS, grey_generator())
    assert (
        2 * (apply(model, second, PLAIN).astype(bool) & truth).sum() / (apply(model, second, PLAIN).sum() + truth.sum())
        > 0.9
    )


def test_several_classes() -> None:
    image, truth = scene()
    painting = painted(truth)
    image[8:22, 36:50] = 400
    painting[8:22, 36:50] = 3
    labels = apply(in_context([image], [painting], SETTINGS, grey_generator()), image, PLAIN)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert (labels[10:20, 38:48] == 2).mean() > 0.9


def tuned(start: Model, painting: np.ndarray, **names: object) -> tuple[Model, np.ndarray]:
    """A fine-tuning of two steps: its model, and what it shows before the first step."""
    settings = FinetuneSettings(
        steps=2, batch_size=1, patch=32, device="cpu", precision="fp32", learning_rate=1e-5, validation=0.0
    )
    events = list(finetune([scene()[0]], [painting], settings, start=start, **names))
    return events[-1].result, next(event for event in events if isinstance(event, Preview)).images["prediction"]


def test_fine_tuning_begins_exactly_where_the_model_was() -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, grey_generator(), class_names=["square"])
    result, first = tuned(model, painted(truth), class_names=["square"])
    before = apply(model, image, PLAIN)
    assert np.array_equal(first, before)
    assert (apply(result, image, PLAIN) == before).mean() > 0.99
    assert result.card.network.painted == model.card.network.painted
    assert any((result.weights[name] != model.weights[name]).any() for name in model.weights)


def test_classes_keep_their_painted_pixels_in_another_order() -> None:
    image, truth = scene()
    painting = painted(truth)
    image[8:22, 36:50] = 400
    painting[8:22, 36:50] = 3
    model = in_context([image], [painting], SETTINGS, grey_generator(), class_names=["square", "bright"])
    turned = with_classes(model, ["bright", "square"])
    swap = np.array([0, 2, 1])
    assert np.array_equal(apply(turned, image, PLAIN), swap[apply(model, image, PLAIN)])


def test_other_classes_begin_from_the_grey_generator() -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, grey_generator(), class_names=["square"])
    base = with_classes(model, ["rod"])
    assert all(np.array_equal(base.weights[name], array) for name, array in grey_generator().weights.items())
    assert not base.card.network.painted
    result, _ = tuned(model, painted(truth), class_names=["rod"])
    assert [info.name for info in result.card.classes] == ["background", "rod"]
    assert result.card.network.painted == model.card.network.painted


def test_a_copy_in_16_bits_segments_alike(tmp_path: Path) -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, grey_generator())
    copy = read_model(save_model(model, tmp_path / "half.safetensors", storage="float16"))
    assert (apply(copy, image, PLAIN) == apply(model, image, PLAIN)).mean() > 0.999


def test_the_sharpness_of_the_generator_is_taken() -> None:
    image, truth = scene()
    base = grey_generator()
    sharp = Model(base.card, {**base.weights, "sharpness": np.array(25.0, np.float32)})
    assert in_context([image], [painted(truth)], SETTINGS, sharp).weights["sharpness"] == 25
    assert in_context([image], [painted(truth)], SETTINGS, base).weights["sharpness"] == 10


def test_the_card_says_what_was_painted_and_with_which_grey_generator() -> None:
    image, truth = scene()
    card = in_context([image], [painted(truth)], SETTINGS, grey_generator()).card
    stage = card.history[-1]
    assert (stage.job, stage.start, card.network.painted) == ("in_context", "vectors", (128, 128))
    assert f"{np.count_nonzero(painted(truth))} painted pixels" in stage.data["summary"]


def test_a_model_in_context_is_no_grey_generator() -> None:
    image, truth = scene()
    model = in_context([image], [painted(truth)], SETTINGS, grey_generator())
    with pytest.raises(UserError, match="itself made in context"):
        in_context([image], [painted(truth)], SETTINGS, model)


def test_one_particle_without_painted_background_is_enough() -> None:
    image, truth = scene()
    painting = np.zeros(truth.shape, np.uint8)
    painting[36:50, 36:50] = 2
    model = in_context([image], [painting], SETTINGS, grey_generator())
    assert dice(apply(model, image, PLAIN)[4:-4, 4:-4], truth[4:-4, 4:-4]) > 0.9


def test_rings_do_not_count_where_they_look_like_the_paint() -> None:
    image, truth = scene()
    packed = np.repeat(np.repeat(truth[8:22, 8:22], 6, 0), 6, 1)
    packed[::15], packed[:, ::15] = False, False
    image = (100 + 100 * packed + 5 * np.random.default_rng(0).standard_normal(packed.shape)).astype(np.float32)
    painting = np.zeros(packed.shape, np.uint8)
    painting[31:45, 31:45] = 2
    model = in_context([image], [painting], SETTINGS, grey_generator())
    assert model.card.history[-1].data["rings_left_out"] > 0.5
    assert dice(apply(model, image, PLAIN)[4:-4, 4:-4], packed[4:-4, 4:-4]) > 0.9


def test_a_plane_without_any_background_is_refused() -> None:
    with pytest.raises(UserError, match=r"No background is painted\. Paint some"):
        in_context([scene()[0]], [np.full((96, 96), 2)], SETTINGS, grey_generator())


def test_a_generator_without_vectors_is_refused() -> None:
    image, truth = scene()
    with pytest.raises(UserError, match="gives pixels no vectors"):
        in_context([image], [painted(truth)], SETTINGS, "unet-2-44")
