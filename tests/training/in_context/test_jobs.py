"""A model in context as a job, and as the beginning of a training."""

import numpy as np
from grey_vectors import grey_generator, scene

from napari_emssl.data.labels.targets import assumed_background, target_from_painting
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.events import Finished, Notice, Preview, Started
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.models.zoo import add_model
from napari_emssl.training.in_context.jobs import finetune_in_context, make_in_context

PLAIN = ApplySettings(device="cpu", precision="fp32")
CONTEXT = ContextSettings(device="cpu", precision="fp32")
TRAINING = FinetuneSettings(steps=2, batch_size=1, patch=32, device="cpu", precision="fp32", learning_rate=1e-5)


def painted_once() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image with a square painted so close to another that the ring runs over it; target and ring."""
    image, truth = scene()
    image[36:50, 51:66] = 200
    painting = np.zeros(truth.shape, np.uint8)
    painting[36:50, 36:50] = 1
    target = target_from_painting(painting)
    return image, target, assumed_background(target, painting)


def test_the_model_comes_as_a_result_and_rings_left_out_are_told() -> None:
    add_model(grey_generator())
    image, target, ring = painted_once()
    events = list(make_in_context([image], [target], [ring], CONTEXT, "vectors", name="m", class_names=["square"]))
    assert [type(event) for event in events] == [Started, Notice, Finished]
    assert "looks like the paint" in events[1].text
    assert events[-1].result.name == "m"
    assert apply(events[-1].result, image, PLAIN)[38:48, 53:63].all()


def test_training_begins_at_the_model_in_context() -> None:
    add_model(grey_generator())
    image, target, ring = painted_once()
    named = {"name": "m", "class_names": ["square"]}
    settings = TRAINING.model_copy(update={"validation": 0.0})
    events = list(finetune_in_context([image], [target], [ring], settings, "vectors", **named))
    (model,) = [e.result for e in make_in_context([image], [target], [ring], CONTEXT, "vectors", **named)
                if isinstance(e, Finished)]  # fmt: skip
    first = next(event for event in events if isinstance(event, Preview)).images["prediction"]
    assert np.array_equal(first, apply(model, image, PLAIN))
    assert [stage.job for stage in events[-1].result.card.history] == ["in_context", "finetune"]
    assert any(isinstance(event, Notice) and "looks like the paint" in event.text for event in events)
