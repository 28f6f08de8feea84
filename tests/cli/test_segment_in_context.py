"""``napari-emssl segment-in-context``: paintings become a model at once, and the model is applied."""

import json
from pathlib import Path

import numpy as np
import pytest
from grey_vectors import grey_generator, painted, scene
from terminal import Tell, refused

from napari_emssl.data.images.opening import read_image
from napari_emssl.models.model_file import save_model
from napari_emssl.models.zoo import load_model

PLAIN = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two images, a painting of one of them, and a generator."""
    for folder in ("images", "paintings"):
        (tmp_path / folder).mkdir()
    for number in range(2):
        np.save(tmp_path / "images" / f"film_{number}.npy", scene(number)[0])
    np.save(tmp_path / "paintings" / "film_1.npy", painted(scene(1)[1]))
    save_model(grey_generator(), tmp_path / "vectors.safetensors")
    return tmp_path


def words(files: Path) -> list[object]:
    painting = files / "paintings" / "film_1.npy"
    start = ["segment-in-context", files / "images", "--painted", painting, "--zero", "unpainted"]
    return [*start, "--generator", files / "vectors.safetensors", "-o", files / "out", *PLAIN]


def test_all_images_are_segmented_and_the_model_is_kept(tell: Tell, files: Path) -> None:
    told = tell(*words(files), "--model", "squares")
    assert told.status == 0, told.err
    assert [Path(line).name for line in told.out.splitlines()] == ["film_0.tif", "film_1.tif"]
    for number in range(2):
        labels = read_image(files / "out" / f"film_{number}.tif").plane(0)
        assert ((labels > 0) == scene(number)[1]).mean() > 0.95
    assert load_model("squares").card.history[-1].start == "vectors"
    info = tell("models", "info", "squares").out
    remembered = (
        "128 pixels of background, 128 pixels of class 1, painted on 1 plane; sees images as they are; filters have a "
        "share of 33%"
    )
    assert f"remembers {remembered}" in info
    assert {"context": remembered}.items() <= json.loads(tell("models", "list", "--json").out)[-1].items()
    assert "segment, in context" in tell("models", "list").out
    assert "in_context from vectors, nothing trained" in info
    refused(tell(*words(files), "--model", "squares"), "There is a model 'squares' already")
    refused(tell(*words(files), "--model", "others"), "exist already")
    refused(tell("models", "info", "others"), "There is no model 'others'")
    assert tell(*words(files), "--model", "squares", "--overwrite").status == 0


def test_bad_input_is_a_sentence_and_leaves_nothing(tell: Tell, files: Path) -> None:
    stray = files / "paintings" / "rods_7.npy"
    np.save(stray, painted(scene(0)[1]))
    np.save(files / "images" / "stack.npy", np.stack([scene(0)[0]] * 3))
    np.save(files / "stack.npy", painted(scene(0)[1]))
    for painting, sentence in [
        (files / "paintings", f"The painting '{stray}'"),
        (stray, "No image has a target of the same name"),
        (files / "images" / "film_0.npy", "is given as an image and as a painting"),
        (files / "stack.npy", "is one plane, but image 'stack' has 3"),
        (files / "nowhere.npy", "There is no file or folder"),
    ]:
        told = tell(*[painting if word == files / "paintings" / "film_1.npy" else word for word in words(files)])
        refused(told, sentence)
    other = ["unet-2-44" if word == files / "vectors.safetensors" else word for word in words(files)]
    refused(tell(*other), "gives pixels no vectors")
    assert not (files / "out").exists()
