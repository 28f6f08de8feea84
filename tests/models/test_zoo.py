"""The zoo: shipped and own models in one list, own ones added and never overwritten unasked."""

from pathlib import Path

import pytest
from small_models import model_of

from napari_emssl.errors import UserError
from napari_emssl.models import zoo
from napari_emssl.models.file import Card, Model, NetworkSpec, save_model


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_EMSSL_HOME", str(tmp_path))
    return tmp_path


def named(name: str) -> Model:
    return model_of().renamed(name)


def test_an_own_model_is_listed_and_loaded_by_name() -> None:
    zoo.add_model(named("au 5 nm"))
    entry = next(entry for entry in zoo.list_models() if entry.name == "au 5 nm")
    assert entry.origin == "own"
    assert entry.bytes == entry.path.stat().st_size
    assert zoo.load_model("au 5 nm").name == "au 5 nm"


def test_an_own_model_is_not_overwritten_unasked() -> None:
    path = zoo.add_model(named("a"))
    before = path.read_bytes()
    with pytest.raises(UserError, match="already"):
        zoo.add_model(Model(named("a").card, {}))
    assert path.read_bytes() == before
    zoo.add_model(named("a"), overwrite=True)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x\\y"])
def test_a_name_that_is_no_file_name_is_refused(name: str, own_home: Path) -> None:
    with pytest.raises(UserError, match="no name"):
        zoo.add_model(named(name))
    assert not list(own_home.rglob("*.safetensors"))


def test_an_unknown_name_is_answered_by_the_known_ones() -> None:
    zoo.add_model(named("mine"))
    with pytest.raises(UserError, match="mine"):
        zoo.load_model("yours")


def test_a_damaged_file_does_not_hide_the_others(own_home: Path) -> None:
    zoo.add_model(named("good"))
    (own_home / "models" / "bad.safetensors").write_bytes(b"junk")
    names = [entry.name for entry in zoo.list_models()]
    assert "good" in names
    assert "bad" not in names


def test_import_copies_a_checked_file(tmp_path: Path) -> None:
    path = save_model(named("elsewhere"), tmp_path / "download.safetensors")
    assert zoo.import_model(path).read_bytes() == path.read_bytes()
    assert zoo.load_model("elsewhere").name == "elsewhere"


def test_the_recommended_start_is_a_shipped_generator_listed_first() -> None:
    first = zoo.list_models()[0]
    assert zoo.recommended_start() == first.name
    assert first.origin == "shipped"
    assert first.card.task == "reconstruct"
    assert first.card.history[0].job == "pretrain"
    assert first.card.licence != "unknown"


def test_shipped_names_are_reserved() -> None:
    shipped = zoo.recommended_start()
    spec = NetworkSpec(name="unet-2-44")
    with pytest.raises(UserError, match="shipped"):
        zoo.add_model(Model(Card(name=shipped, task="segment", network=spec), {}))
