"""The terminal's models: list, pull, import, export, rename, remove, as a user meets them."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_server import ModelServer, Serve
from terminal import Tell, refused

from napari_emssl.data.images.writers import write_image
from napari_emssl.models.model_file import Card, Model, NetworkSpec, read_card, read_model, save_model
from napari_emssl.models.weights import to_numpy
from napari_emssl.models.zoo import own_file
from napari_emssl.networks.generators import build_generator

pytestmark = pytest.mark.usefixtures("direct_network")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    card = Card(name="far", task="reconstruct", network=NetworkSpec(name="unet-2-44"), licence="CC0")
    weights = {"a.weight": np.random.default_rng(0).random((200, 200), np.float32)}
    return save_model(Model(card, weights), tmp_path / "far.safetensors")


@pytest.fixture
def server(model: Path, serve: Serve) -> ModelServer:
    return serve(model.read_bytes())


@pytest.fixture
def registry(tell: Tell, model: Path, server: ModelServer, home: Path) -> Path:
    """A lab's registry: the model at an address that is gone, and at one that works."""
    entry = json.loads(tell("models", "entry", model, server.url("missing"), server.url("good")).out)
    path = home / "registries" / "lab.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"format_version": 1, "models": [entry]}))
    return path


def rows(tell: Tell) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(tell("models", "list", "--json").out)}


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("word", ["pull", "export", "rename", "remove", "entry"])
def test_every_command_has_help(tell: Tell, word: str) -> None:
    told = tell("models", word, "--help")
    assert told.status == 0
    assert f"napari-emssl models {word}" in told.out


def test_a_model_of_a_registry_is_listed_described_pulled_and_own_then(
    tell: Tell, registry: Path, model: Path, server: ModelServer, home: Path
) -> None:
    row = rows(tell)["far"]
    assert (row["origin"], row["network"], row["task"], row["licence"]) == ("remote", "unet-2-44", "reconstruct", "CC0")
    assert (row["parameters"], row["bytes"]) == (40000, model.stat().st_size)
    assert "remote" in tell("models", "list").out
    assert server.asked == [], "listing does not go to the addresses of models"
    text = tell("models", "info", "far").out
    assert "models pull far" in text
    assert sum_of(model) in text
    told = tell("models", "pull", "far")
    assert told.status == 0, told.err
    assert "404 Not Found. Trying the next mirror." in told.err
    assert (home / "models" / "far.safetensors").read_bytes() == model.read_bytes()
    assert rows(tell)["far"]["origin"] == "own"
    told = tell("models", "pull", "far")
    assert (told.status, len(server.asked)) == (0, 2)
    assert "is already here" in told.out
    assert tell("models", "pull", "far", "--name", "other").status == 0
    assert {"far", "other"} <= rows(tell).keys()


def test_pull_takes_an_address_with_its_checksum(tell: Tell, model: Path, server: ModelServer, home: Path) -> None:
    url = server.url("good")
    refused(tell("models", "pull", url), "needs --sha256")
    refused(tell("models", "pull", url, "--sha256", "12"), "64 digits")
    refused(tell("models", "pull", "ftp://x/y", "--sha256", sum_of(model)), "https://")
    assert server.asked == []
    refused(tell("models", "pull", url, "--sha256", "0" * 64, "--quiet"), "not the expected one", "models import FILE")
    assert not list((home / "models").iterdir())
    assert tell("models", "pull", url, "--sha256", sum_of(model).upper(), "--name", "mine").status == 0
    assert read_card(home / "models" / "mine.safetensors").name == "far"
    assert json.loads(tell("models", "info", "mine", "--json").out)["name"] == "mine"
    assert "'mine' is already here" in tell("models", "pull", url, "--sha256", sum_of(model)).out


def test_pull_says_what_does_not_fit(tell: Tell, registry: Path, home: Path) -> None:
    refused(tell("models", "pull", "nope"), "'nope'", "Models to download: far")
    refused(tell("models", "pull", "far", "--sha256", "0" * 64), "Leave it out")
    refused(tell("models", "pull", "unet-3-96"), "already here")
    registry.with_name("bad.json").write_text("{")
    told = tell("models", "list", "--json")
    assert told.status == 0
    assert "far" in [row["name"] for row in json.loads(told.out)]
    assert "bad.json" in told.err


def test_another_model_of_that_name_is_not_replaced_unasked(
    tell: Tell, registry: Path, model: Path, home: Path, tmp_path: Path
) -> None:
    loaded = read_model(model)
    other = save_model(Model(loaded.card, {"b": np.zeros(1, np.float32)}), tmp_path / "other.safetensors")
    tell("models", "import", other)
    refused(tell("models", "pull", "far"), "--overwrite")
    assert (home / "models" / "far.safetensors").read_bytes() == other.read_bytes()
    assert tell("models", "pull", "far", "--overwrite").status == 0
    assert (home / "models" / "far.safetensors").read_bytes() == model.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_stops_a_stalled_download_and_leaves_nothing(model: Path, server: ModelServer, home: Path) -> None:
    words = ["models", "pull", server.url("stall"), "--sha256", sum_of(model), "--timeout-seconds", "100"]
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_emssl", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "nothing was kept" in out
    assert "Traceback" not in err
    assert list((home / "models").iterdir()) == []


def test_import_can_check_the_checksum(tell: Tell, model: Path) -> None:
    refused(tell("models", "import", model, "--sha256", "0" * 64), "not the expected file", sum_of(model))
    assert tell("models", "import", model, "--sha256", sum_of(model)).status == 0


def test_export_writes_half_the_bytes_and_reads_back(tell: Tell, model: Path, tmp_path: Path) -> None:
    tell("models", "import", model, "--name", "mine")
    file = tmp_path / "out" / "mine16.safetensors"
    told = tell("models", "export", "mine", file, "--float16")
    assert told.status == 0
    assert sum_of(file) in told.out
    assert file.stat().st_size < 0.6 * model.stat().st_size
    assert (read_card(file).name, read_card(file).storage) == ("mine", "float16")
    assert read_model(file).weights["a.weight"].dtype == np.float32
    assert "weights as float16" in tell("models", "info", file).out
    refused(tell("models", "export", "mine", file), "--overwrite")
    assert tell("models", "export", "mine", file, "--overwrite").status == 0
    assert file.stat().st_size < 0.6 * model.stat().st_size * 2
    refused(tell("models", "export", "nope", tmp_path / "x.safetensors"), "nope")


def test_rename_and_remove(tell: Tell, model: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell("models", "import", model)
    assert tell("models", "rename", "far", "near").status == 0
    assert "near" in rows(tell)
    assert "far" not in rows(tell)
    for words in (("rename", "far", "x"), ("remove", "far", "--yes")):
        refused(tell("models", *words), "no model of your own called 'far'", "near")
    refused(tell("models", "remove", "unet-3-96", "--yes"), "came with the program")
    refused(tell("models", "rename", "unet-3-96", "x"), "came with the program")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    refused(tell("models", "remove", "near"), "--yes")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    assert "was not deleted" in tell("models", "remove", "near").out
    assert "near.safetensors" in asked[0]
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert tell("models", "remove", "near").status == 0
    assert list((home / "models").iterdir()) == []


def test_entry_refuses_what_is_no_model(tell: Tell, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    refused(tell("models", "entry", wrong, "https://a.example/x"), "wrong.safetensors")
    wrong.write_bytes(b"junk")
    refused(tell("models", "entry", wrong, "https://a.example/x"), "damaged or cut short")


def test_models_list_is_json(tell: Tell, tiny: Path) -> None:
    assert tell("models", "import", tiny).status == 0
    rows = json.loads(tell("models", "list", "--json").out)
    own = next(row for row in rows if row["name"] == "tiny")
    assert {"name", "network", "task", "parameters", "bytes", "licence", "origin"} <= own.keys()
    assert (own["network"], own["task"], own["licence"], own["origin"]) == ("unet-2-44", "reconstruct", "CC0", "own")
    assert own["parameters"] == 6, "norm statistics are not parameters"
    assert own["bytes"] == tiny.stat().st_size
    assert "tiny" in tell("models", "list").out
    assert tell("models").out == tell("models", "list").out
    own_file("tiny").with_name("cut.safetensors").write_bytes(b"cut")
    listed = tell("models", "list")
    assert "tiny" in listed.out
    assert "cut.safetensors' cannot be read" in listed.err


def test_lines_of_the_list_do_not_wrap(tell: Tell) -> None:
    lines = tell("models", "list").out.splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) < 160, "licences of many sources are cut"


def test_models_info(tell: Tell, tiny: Path) -> None:
    text = tell("models", "info", tiny).out
    for part in ("tiny", "reconstruct", "unet-2-44", "CC0", "6 parameters"):
        assert part in text
    assert json.loads(tell("models", "info", tiny, "--json").out)["name"] == "tiny"
    refused(tell("models", "info", "nope"), "nope")


def test_the_card_of_a_denoiser_says_what_its_result_is_made_of(tell: Tell, tmp_path: Path) -> None:
    network = NetworkSpec(name="unet-2-44", smoothing_px=1.2, image_share=0.25)
    weights = to_numpy(build_generator("unet-2-44").state_dict())
    path = save_model(
        Model(Card(name="quiet", task="denoise", network=network), weights), tmp_path / "quiet.safetensors"
    )
    said = tell("models", "info", path).out
    assert "added to the image smoothed by a Gaussian of 1.2 px, 25% of it the noisy image itself" in said


def test_models_import_refuses(tell: Tell, tiny: Path, tmp_path: Path) -> None:
    refused(tell("models", "import", tmp_path / "nope.safetensors"), "nope")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(tiny.read_bytes()[:-7])
    refused(tell("models", "import", cut), "cut")
    cut.write_bytes(b"\x80\x04cposix\nsystem\n.")
    refused(tell("models", "import", cut), "cut")
    tell("models", "import", tiny)
    refused(tell("models", "import", tiny), "tiny")
    assert tell("models", "import", tiny, "--overwrite").status == 0
    assert tell("models", "import", tiny, "--name", "other").status == 0
    assert "other" in tell("models", "list").out


def test_weights_of_another_program_become_a_start_that_can_be_compared(tell: Tell, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = build_generator("unet-2-44", width=2).state_dict()
    theirs = {f"module.{name}": tensor for name, tensor in weights.items() if not name.startswith("head")}
    file = tmp_path / "lab.pth.tar"
    torch.save({"state_dict": theirs, "epoch": 3}, file)
    refused(tell("models", "import", file), "is a file of PyTorch", "--network NAME")
    words = ("models", "import", file, "--network", "unet-2-44", "--width", 2)
    refused(tell(*words), "--mapping")
    told = tell(*words, "--mapping", "plain")
    assert told.status == 0, told.err
    assert "Fit: encoder.0 (" in told.out
    assert "Not in the file: head.weight (1), head.bias (1)" in told.out
    assert "Not used: epoch (1)" in told.out
    assert "'lab-unet-2-44'" in told.out
    assert "encoder.0.conv1.weight, " in tell(*words, "--mapping", "plain", "--names", "--overwrite").out
    for n in range(4):
        image = np.random.default_rng(n).random((64, 64), np.float32)
        write_image(tmp_path / "images" / f"{n}.tif", image)
        write_image(tmp_path / "masks" / f"{n}.tif", (image > 0.5).astype(np.uint8))
    refused(
        tell("apply", "lab-unet-2-44", tmp_path / "images", "-o", tmp_path / "out"), "lacks some weights", "Fine-tune"
    )
    settings = ("--steps", 2, "--seeds", 1, "--patch", 32, "--batch-size", 2, "--device", "cpu", "--quiet")
    pairs = ("--images", tmp_path / "images", "--targets", tmp_path / "masks")
    told = tell("compare", *pairs, "--starts", "lab-unet-2-44", "-o", tmp_path / "compared", *settings)
    assert told.status == 0, told.err
    assert "lab-unet-2-44" in (tmp_path / "compared" / "results.csv").read_text()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--author", "A"], "--author is only for packages for other programs. Add --bioimageio"),
        (["--sample", "a.tif"], "--sample is only for packages"),
        (["--bioimageio", "--float16"], "--float16 is for model files"),
        (["--bioimageio", "--overwrite"], "A package never replaces files"),
        (["--bioimageio", "--author", "A; 1234"], "not an ORCID"),
        (["--bioimageio", "--cite", "Doe 2026"], "no citation"),
        (["--bioimageio", "--sample", "gone.tif"], "no file or folder 'gone.tif'"),
    ],
)
def test_flags_of_an_export_that_make_no_sense_are_refused(
    tell: Tell, model: Path, tmp_path: Path, flags: list[str], told: str
) -> None:
    refused(tell("models", "export", model, tmp_path / "out", *flags), told)
    assert not (tmp_path / "out").exists()


def test_a_package_needs_the_extra_and_a_model(
    tell: Tell, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(tell("models", "export", "gone", tmp_path / "out", "--bioimageio"), "There is no model 'gone'")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "bioimageio.spec", None)
    told = tell("models", "export", model, tmp_path / "out", "--bioimageio")
    refused(told, "'bioimageio.spec', which is not installed", "pip install 'napari-emssl[export]'")
    assert not (tmp_path / "out").exists()
