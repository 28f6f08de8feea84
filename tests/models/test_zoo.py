"""The zoo: shipped and own models in one list, own ones added and never overwritten unasked."""

from pathlib import Path

import numpy as np
import pytest
from random_models import reconstructor

from napari_emssl.errors import UserError
from napari_emssl.models import recommended, zoo
from napari_emssl.models.model_file import Card, Model, NetworkSpec, save_model


def named(name: str) -> Model:
    return reconstructor().renamed(name)


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
def test_a_name_that_is_no_file_name_is_refused(name: str, home: Path) -> None:
    with pytest.raises(UserError, match="not a valid name"):
        zoo.add_model(named(name))
    assert not list(home.rglob("*.safetensors"))


def test_an_unknown_name_is_answered_by_the_known_ones() -> None:
    zoo.add_model(named("mine"))
    with pytest.raises(UserError, match="mine"):
        zoo.load_model("yours")


def test_a_damaged_file_does_not_hide_the_others(home: Path) -> None:
    zoo.add_model(named("good"))
    (home / "models" / "bad.safetensors").write_bytes(b"junk")
    names = [entry.name for entry in zoo.list_models()]
    assert "good" in names
    assert "bad" not in names


def test_import_copies_a_checked_file(tmp_path: Path) -> None:
    path = save_model(named("elsewhere"), tmp_path / "download.safetensors")
    assert zoo.import_model(path).read_bytes() == path.read_bytes()
    assert zoo.load_model("elsewhere").name == "elsewhere"


def test_import_takes_another_name(tmp_path: Path) -> None:
    path = save_model(named("elsewhere"), tmp_path / "download.safetensors")
    zoo.import_model(path, "here")
    assert zoo.load_model("here").name == "here"


def test_an_own_model_is_called_by_its_file(home: Path) -> None:
    save_model(named("on the card"), home / "models" / "by hand.safetensors")
    assert zoo.load_model("by hand").name == "by hand"
    assert zoo.load_card("by hand").name == "by hand"


def test_rename_keeps_everything_but_the_name(home: Path) -> None:
    save_model(named("old"), home / "models" / "old.safetensors", storage="float16")
    before = zoo.load_model("old")
    path = zoo.rename_model("old", "new")
    after = zoo.load_model("new")
    assert after.card == before.card.model_copy(update={"name": "new"})
    assert all(np.array_equal(after.weights[name], array) for name, array in before.weights.items())
    assert list(path.parent.iterdir()) == [path]


def test_a_model_that_is_open_elsewhere_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows deletes no file that is open: there must not be two of it then."""
    path, unlink = zoo.add_model(named("old")), Path.unlink

    def refuse(self: Path, missing_ok: bool = False) -> None:
        if self == path:
            raise PermissionError(13, "The process cannot access the file", str(self))
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match="Close programs that use it"):
        zoo.rename_model("old", "new")
    with pytest.raises(UserError, match="Close programs that use it"):
        zoo.remove_model("old")
    assert [entry.name for entry in zoo.list_models() if entry.origin == "own"] == ["old"]


def test_rename_replaces_nothing() -> None:
    for name in ("a", "b"):
        zoo.add_model(named(name))
    for new, words in (("b", "already"), ("../c", "not a valid name"), (recommended.recommended_start(), "shipped")):
        with pytest.raises(UserError, match=words):
            zoo.rename_model("a", new)
    assert {"a", "b"} <= {entry.name for entry in zoo.list_models()}


def test_remove_takes_own_models_only_and_damaged_ones_too(home: Path) -> None:
    path = zoo.add_model(named("a"))
    path.write_bytes(b"junk")
    assert zoo.remove_model("a") == path
    assert not path.exists()
    for name, words in (
        (recommended.recommended_start(), "came with"),
        ("a", "no model of your own"),
        ("../a", "not a valid name"),
    ):
        with pytest.raises(UserError, match=words):
            zoo.remove_model(name)


def test_export_and_import_bring_a_model_back(tmp_path: Path) -> None:
    shipped = zoo.load_model(recommended.recommended_start())
    path = zoo.export_model(shipped.name, tmp_path / "copy.safetensors")
    with pytest.raises(UserError, match="exists"):
        zoo.export_model(shipped.name, path)
    zoo.import_model(path, "mine")
    weights = zoo.load_model("mine").weights
    assert all(np.array_equal(weights[name], array) for name, array in shipped.weights.items())


def test_the_recommended_start_is_a_shipped_generator_listed_first() -> None:
    first = zoo.list_models()[0]
    assert recommended.recommended_start() == first.name
    assert recommended.recommended_start("reconstruct") == "unet-4-200", "it restores, and the first one does not"
    for task in ("denoise", "remove-background", "super-resolve"):
        assert zoo.load_card(recommended.recommended_start(task)).task == task
        assert recommended.why_recommended(task)
    assert first.origin == "shipped"
    assert first.card.task == "reconstruct"
    assert first.card.history[0].job == "pretrain"
    assert first.card.licence != "unknown"


def test_shipped_names_are_reserved() -> None:
    shipped = recommended.recommended_start()
    spec = NetworkSpec(name="unet-2-44")
    with pytest.raises(UserError, match="shipped"):
        zoo.add_model(Model(Card(name=shipped, task="segment", network=spec), {}))
