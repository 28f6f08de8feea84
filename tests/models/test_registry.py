"""Registries: what can be downloaded, from files and addresses, and every kind of damage named in a sentence."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_server import Serve
from random_models import reconstructor

from napari_emssl.errors import UserError
from napari_emssl.models import registry, zoo
from napari_emssl.models.fetch import check_sha256, check_url, is_url
from napari_emssl.models.model_file import read_card, save_model
from napari_emssl.models.registry import Registry, read_offer, read_registry, registry_entry

pytestmark = pytest.mark.usefixtures("direct_network")
URL = "https://models.example/far.safetensors"


@pytest.fixture
def entry(tmp_path: Path) -> dict[str, Any]:
    return registry_entry(save_model(reconstructor(), tmp_path / "m.safetensors"), (URL,)).model_dump(mode="json")


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, home: Path) -> Write:
    """Write a registry, into the user's folder unless told otherwise."""

    def write(*entries: dict[str, Any], path: Path | None = None) -> Path:
        path = path or home / "registries" / "lab.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"format_version": 1, "models": list(entries)}))
        return path

    return write


def test_the_registry_that_ships_is_sound() -> None:
    assert isinstance(read_registry(str(zoo.SHIPPED / "registry.json")), Registry)
    assert not read_offer().complaints


def test_an_entry_describes_its_file(tmp_path: Path) -> None:
    path = save_model(reconstructor(), tmp_path / "m.safetensors")
    entry, card = registry_entry(path, (URL, URL + "2")), read_card(path)
    assert (entry.name, entry.task, entry.network) == (card.name, card.task, card.network.name)
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry.bytes == path.stat().st_size
    assert entry.urls == (URL, URL + "2")


def test_the_users_registries_come_first(
    write: Write, entry: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(entry | {"name": "a", "licence": "folder"}, entry | {"name": "b"})
    named = write(entry | {"name": "a", "licence": "variable"}, path=tmp_path / "with space" / "x.json")
    monkeypatch.setenv(registry.VARIABLE, f" {named} ; ")
    offer = read_offer()
    assert [model.name for model in offer.models] == ["a", "b"]
    assert offer.find("a").licence == "variable"
    assert offer.find("b").download().name == "b"
    with pytest.raises(UserError, match="a, b"):
        offer.find("c")


def test_a_damaged_registry_does_not_hide_the_others(write: Write, entry: dict[str, Any], home: Path) -> None:
    write(entry)
    (home / "registries" / "broken.json").write_text("{")
    offer = read_offer()
    assert [model.name for model in offer.models] == ["test"]
    assert len(offer.complaints) == 1
    assert "broken.json" in offer.complaints[0]
    with pytest.raises(UserError, match="1 registry could not be read"):
        offer.find("other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha256": "123"}, "not a SHA-256"),
        ({"urls": []}, "urls"),
        ({"urls": ["ftp://models.example/x"]}, "https://"),
        ({"urls": ["file:///etc/passwd"]}, "https://"),
        ({"name": "../up"}, "not a valid name"),
        ({"bytes": -1}, "bytes"),
        ({"task": "dance"}, "task"),
        ({"fnord": 1}, "fnord"),
    ],
)
def test_a_bad_entry_is_named(write: Write, entry: dict[str, Any], change: dict[str, Any], words: str) -> None:
    path = write(entry | change)
    with pytest.raises(UserError, match="damaged") as caught:
        read_registry(str(path))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "not a JSON document"),
        ("nothing", "not a JSON document"),
        ("[" * 99999, "not a JSON"),
        ("\xff", "not a JSON"),
        ('{"models": []}', "version"),
    ],
)
def test_what_is_no_registry(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=words):
        read_registry(str(path))


def test_a_newer_registry_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"format_version": 2, "models": []}')
    with pytest.raises(UserError, match="version 2"):
        read_registry(str(path))
    with pytest.raises(UserError, match="cannot be read"):
        read_registry(str(tmp_path / "none.json"))


def test_a_registry_can_have_an_address(entry: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps({"format_version": 1, "models": [entry]}).encode()
    server = serve(content)
    monkeypatch.setenv(registry.VARIABLE, f"{server.url('good')};{server.url('missing')}")
    offer = read_offer()
    assert [model.name for model in offer.models] == ["test"]
    assert "404" in offer.complaints[0]
    with pytest.raises(UserError, match=r"sent nothing for 0\.3 s"):
        read_registry(server.url("silent"), 0.3)
    with pytest.raises(UserError, match="without TLS"):
        read_registry(server.url("downgrade"))


def test_an_address_without_tls_is_not_trusted_with_checksums() -> None:
    with pytest.raises(UserError, match="https"):
        read_registry("http://models.example/registry.json")


@pytest.mark.parametrize("url", ["ftp://a/b", "https://", "file:///x", "javascript:x", "http://[", "x"])
def test_bad_addresses(url: str) -> None:
    with pytest.raises(UserError, match="not an address"):
        check_url(url)


def test_checksums_and_addresses() -> None:
    assert check_sha256(" SHA256:" + "AB" * 32 + "\n") == "ab" * 32
    for wrong in ("", "ab" * 31, "xy" * 32):
        with pytest.raises(UserError, match="not a SHA-256"):
            check_sha256(wrong)
    assert is_url(URL)
    doi = "doi:10.5281/zenodo.1234567/far.safetensors"
    assert is_url(doi)
    assert check_url(doi) == doi
    assert not is_url("C:\\models\\a.safetensors")
