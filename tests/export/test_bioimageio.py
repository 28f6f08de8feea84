"""Packages of bioimage.io: other programs run them and get what the program's own engine gives."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from random_models import random_in_context, random_model

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.errors import UserError
from napari_emssl.export.bioimageio import export_bioimageio
from napari_emssl.export.credits import Author, Citation, Credits
from napari_emssl.export.order import Exported, PackageOrder
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.model_file import Model, read_model
from napari_emssl.models.package import model_file_in
from napari_emssl.simulation.hrtem.sample_data import sample_stack

core = pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed; tox -e export has it")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed; tox -e export has it")

CREDITS = Credits((Author("A. Lovelace", orcid="0000-0002-1825-0097"),), "cc-by-4.0", (Citation("Doe", "10.1234/a"),))
SETTINGS = ApplySettings(device="cpu", precision="fp32")
MODELS = {
    "denoise": random_model(),
    "super-resolve": random_model(task="super-resolve", upscale=2),
    "one class": random_model("unet-3-96", task="segment"),
    "in context": random_in_context((70, 5, 3), scale=0.5),
}


def export(*order: object) -> Exported:
    return export_bioimageio(PackageOrder(*order))


def described(folder: Path) -> dict:
    return yaml.safe_load((folder / "bioimageio.yaml").read_text())


def in_units(model: Model, values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """What the page of a package says of its result: labels, or the units of the image."""
    if model.card.task == "segment":
        return (values > 0.5)[0] if len(values) == 1 else values.argmax(0)
    low, high = np.percentile(image, (0.1, 99.9))
    return values[0] * (high - low) + (low if model.card.task == "denoise" else 0)


@pytest.mark.parametrize("name", MODELS)
def test_a_package_passes_bioimageio_s_test_and_gives_the_engine_s_result(tmp_path: Path, name: str) -> None:
    model, folder = MODELS[name], tmp_path / "package"
    exported = export(model, folder, CREDITS)
    assert (exported.folder, exported.missing) == (folder, ())
    assert exported.difference <= 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["package"]
    summary = core.test_description(folder / "bioimageio.yaml")
    assert summary.status == "passed", summary.format()
    tested = {part.loc[1] for part in summary.details if part.loc[:1] == ("weights",)}
    assert tested == {"onnx", "torchscript"}

    image, result = (np.load(folder / f"sample_{word}.npy")[0] for word in ("input", "output"))
    own = apply(model, image[0], SETTINGS)
    np.testing.assert_allclose(in_units(model, result, image), own, atol=1e-4 * max(1.0, float(np.abs(own).max())))


def test_tiles_without_their_halo_are_the_whole(tmp_path: Path) -> None:
    model = MODELS["one class"]
    export(model, tmp_path / "package", CREDITS)
    image = sample_stack(1, 400)[0][0][:, :384].astype(np.float32)
    description = core.load_model_description(tmp_path / "package")
    with core.create_prediction_pipeline(description, weight_format="onnx") as pipeline:
        sample = core.digest_spec.create_sample_for_model(description, inputs={"image": image[None, None]})
        tiled = pipeline.predict_sample_with_blocking(sample, ns=12)
    found = np.asarray(tiled.members["probability"].data).squeeze()
    inside = slice(60, -60)  # at the border bioimage.io reflects the image, and the engine does not
    own = apply(model, image, SETTINGS)
    assert (np.asarray(found > 0.5)[inside, inside] == own[inside, inside]).mean() > 0.9999


def test_what_is_said_of_a_model_stands_in_its_description(tmp_path: Path) -> None:
    stack = IntensityScaling(low_percent=1, high_percent=99, per="stack", hot_pixels=500)
    plain = random_model(task="segment", description="Finds gold.", pixel_size_nm=(0.02, 0.05))
    model = replace(plain, card=plain.card.model_copy(update={"scaling": stack, "name": "Gold é/1"}))
    export(model, tmp_path / "package", CREDITS)
    fields, page = described(tmp_path / "package"), (tmp_path / "package" / "README.md").read_text()
    assert (fields["name"], fields["description"], fields["license"]) == ("Gold --1", "Finds gold.", "CC-BY-4.0")
    assert fields["authors"] == [{"name": "A. Lovelace", "orcid": "0000-0002-1825-0097"}]
    assert [item["doi"] for item in fields["cite"]] == ["10.1234/a", "10.48550/arXiv.2204.04250"]
    assert {"electron-microscopy", "semantic-segmentation", "unet"} <= set(fields["tags"])
    given, answer = fields["inputs"][0], fields["outputs"][0]
    assert given["axes"][2]["size"] == {"min": 52, "step": 4}
    assert (answer["axes"][3]["halo"], answer["axes"][1]["channel_names"]) == (24, ["particle"])
    percentiles = given["preprocessing"][1]["kwargs"]
    assert (percentiles["axes"], percentiles["min_percentile"]) == (["batch", "y", "x"], 1)
    assert "500 above the median" in page
    assert "0.02 to 0.05 nm" in page


def test_a_model_exported_and_imported_again_gives_the_same_answer(tmp_path: Path) -> None:
    model = MODELS["in context"]
    export(model, tmp_path / "package", CREDITS)
    archive = shutil.make_archive(str(tmp_path / "package"), "zip", tmp_path / "package")
    image = sample_stack(1, 96)[0][0]
    for path in (tmp_path / "package", tmp_path / "package" / "bioimageio.yaml", Path(archive)):
        with model_file_in(path) as file:
            kept = read_model(file)
        assert kept.card == model.card
        np.testing.assert_array_equal(apply(kept, image, SETTINGS), apply(model, image, SETTINGS))


def test_an_image_of_one_s_own_is_the_sample(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 99, (2, 300, 320), np.uint8)
    np.save(tmp_path / "own.npy", image)
    export(MODELS["denoise"], tmp_path / "package", CREDITS, tmp_path / "own.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "package" / "sample_input.npy")[0, 0], image[0, 22:278, 32:288])
    np.save(tmp_path / "small.npy", image[:, :100])
    np.save(tmp_path / "nearly.npy", np.pad(image[0, :3, :3], 150))
    np.save(tmp_path / "nan.npy", np.where(image < 50, np.nan, image))
    for name in ("nearly", "nan"):
        with pytest.raises(UserError, match=r"No other program scales .* as this one does"):
            export(MODELS["denoise"], tmp_path / "other", CREDITS, tmp_path / f"{name}.npy")
    with pytest.raises(UserError, match="100 x 320 px; the sample of this model needs 256 x 256 px"):
        export(MODELS["denoise"], tmp_path / "other", CREDITS, tmp_path / "small.npy")
    assert not (tmp_path / "other").exists()


def test_a_model_that_finds_nothing_needs_another_sample(tmp_path: Path) -> None:
    model = MODELS["one class"]
    weights = {name: array * 0 - 20 if name == "head.bias" else array for name, array in model.weights.items()}
    with pytest.raises(UserError, match=r"finds nothing on the simulated sample image.*Give a sample image on which"):
        export(Model(model.card, weights), tmp_path / "package", CREDITS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("licence", ["CC-BY", "unknown", "", "MIT; BSD-3-Clause"])
def test_a_licence_that_is_in_no_list_is_refused(tmp_path: Path, licence: str) -> None:
    with pytest.raises(UserError, match="SPDX"):
        export(MODELS["denoise"], tmp_path / "package", Credits(licence=licence))
    assert not list(tmp_path.iterdir())


def test_names_on_github_need_no_network(tmp_path: Path) -> None:
    ada = Author("Zoë\x07", affiliation="Lab: #1", github_user="nobody-at-all")
    export(MODELS["denoise"], tmp_path / "package", Credits((ada,), "mit"))
    fields = described(tmp_path / "package")
    assert fields["authors"] == [{"name": "Zoë\x07", "affiliation": "Lab: #1", "github_user": "nobody-at-all"}]
    assert fields["license"] == "MIT"


def test_what_is_still_missing_is_said(tmp_path: Path) -> None:
    exported = export(MODELS["denoise"], tmp_path)
    assert exported.missing == ("authors", "licence")
    with pytest.raises(UserError, match="not empty; nothing was written"):
        export(MODELS["denoise"], tmp_path)
