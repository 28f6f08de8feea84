"""Downloads: what arrives is what was promised, whatever servers do; and nothing else is left behind."""

import dataclasses
import errno
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from model_server import ModelServer, Serve
from patience import PATIENCE_SECONDS

from napari_emssl.atomic_files import hidden_name
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Event, Finished, Notice, Progress
from napari_emssl.jobs.settings import DownloadSettings
from napari_emssl.models import recommended, zoo
from napari_emssl.models.download import download
from napari_emssl.models.fetch import Download
from napari_emssl.models.model_file import Card, Model, NetworkSpec, save_model

pytestmark = pytest.mark.usefixtures("direct_network")
PATIENCE = DownloadSettings(timeout_seconds=PATIENCE_SECONDS)
HASTE = DownloadSettings(timeout_seconds=0.5)
"""For servers that fall silent; one that answers may take longer on a busy machine."""
DEAD = "http://127.0.0.1:9/good"
"""Nothing listens on the port of the discard protocol."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    card = Card(name="far", task="reconstruct", network=NetworkSpec(name="unet-2-44"))
    weights = {"a": np.random.default_rng(0).random((300, 300), np.float32)}
    return save_model(Model(card, weights), tmp_path_factory.mktemp("far") / "far.safetensors").read_bytes()


@pytest.fixture
def server(content: bytes, serve: Serve) -> ModelServer:
    return serve(content)


def order(server: ModelServer, *manners: str, name: str | None = None, size: bool = True) -> Download:
    urls = tuple(manner if "://" in manner else server.url(manner) for manner in manners)
    sha256 = hashlib.sha256(server.content).hexdigest()
    return Download(urls, sha256, name, len(server.content) if size else None)


def files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").glob("*")) if (home / "models").exists() else []


def of_kind(events: list[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("manner", ["good", "redirect", "unsized"])
@pytest.mark.parametrize("size", [True, False])
def test_a_model_arrives_byte_for_byte(server: ModelServer, home: Path, manner: str, size: bool) -> None:
    events = list(download(order(server, manner, size=size), PATIENCE))
    assert events[-1] == Finished(home / "models" / "far.safetensors", False)
    assert events[-1].result.read_bytes() == server.content
    assert files(home) == ["far.safetensors"]
    assert not of_kind(events, Notice)
    assert of_kind(events, Progress)[-1].step == len(server.content)
    assert zoo.load_model("far").name == "far"


def test_progress_counts_bytes_up_to_the_end(server: ModelServer) -> None:
    told = of_kind(list(download(order(server, "slow"), PATIENCE)), Progress)
    assert len(told) >= 3
    steps = [event.step for event in told]
    assert steps == sorted(steps)
    assert told[-1].fraction == 1.0
    assert all(event.seconds_left is not None for event in told)


WRONG = {
    "lie": "not the expected one",
    "truncate": "stopped sending after",
    "short": "cut short",
    "stall": "sent nothing for 0.5 s",
    "silent": "sent nothing for 0.5 s",
    "missing": "404 Not Found",
    "broken": "500 Internal Server Error",
    "circle": "TooManyRedirects",
    "odd": "gave nothing",
    "endless": "more than",
    DEAD: "refuses connections",
    "http://no-such-host.invalid/x": "cannot be reached: its name is not known here, or there is no network",
}


def patience_with(manner: str) -> DownloadSettings:
    return HASTE if "0.5 s" in WRONG[manner] else PATIENCE


@pytest.mark.parametrize(("manner", "words"), WRONG.items(), ids=[key.partition("//")[2] or key for key in WRONG])
def test_every_bad_server_is_named_and_leaves_nothing(server: ModelServer, home: Path, manner: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        download(order(server, manner), patience_with(manner)).result()
    text = str(caught.value)
    assert ("no-such-host.invalid" if "no-such" in manner else "127.0.0.1:") in text
    assert "models import FILE" in text
    assert files(home) == []


@pytest.mark.parametrize("manner", WRONG, ids=[key.partition("//")[2] or key for key in WRONG])
def test_the_next_mirror_helps(server: ModelServer, home: Path, manner: str) -> None:
    events = list(download(order(server, manner, "good"), patience_with(manner)))
    assert events[-1].result.read_bytes() == server.content
    (warning,) = of_kind(events, Notice)
    assert "next mirror" in warning.text
    assert files(home) == ["far.safetensors"]


@pytest.mark.parametrize("manner", ["lie", "short"])
def test_a_wrong_file_is_known_without_its_size(server: ModelServer, home: Path, manner: str) -> None:
    with pytest.raises(UserError, match="not the expected one"):
        download(order(server, manner, size=False), PATIENCE).result()
    assert files(home) == []


def test_all_mirrors_that_failed_are_named(server: ModelServer) -> None:
    with pytest.raises(UserError, match=r"404 Not Found.*500 Internal Server Error"):
        download(order(server, "missing", "broken"), PATIENCE).result()


def test_a_file_that_is_no_model_is_refused_though_its_checksum_is_right(serve: Serve, home: Path) -> None:
    server = serve(b"\x80\x04cposix\nsystem\n." * 100)
    with pytest.raises(UserError, match="not a model"):
        download(order(server, "good"), PATIENCE).result()
    assert files(home) == []


@pytest.mark.parametrize("manner", ["stall", "silent", "slow"])
def test_stop_is_felt_at_once_and_leaves_nothing(server: ModelServer, home: Path, manner: str) -> None:
    job = download(order(server, manner), DownloadSettings(timeout_seconds=600))  # longer than a test may take
    threading.Timer(0.3, job.stop).start()
    assert list(job)[-1] == Finished(None, stopped=True)
    assert files(home) == []


def test_a_name_that_is_taken_is_said_before_anything_is_fetched(server: ModelServer, home: Path) -> None:
    card = Card(name="mine", task="segment", network=NetworkSpec(name="unet-2-44"))
    path = zoo.add_model(Model(card, {"a": np.zeros(1, np.float32)}))
    before = path.read_bytes()
    with pytest.raises(UserError, match="--overwrite"):
        download(order(server, "good", name="mine"), PATIENCE).result()
    for name in ("../up", recommended.recommended_start()):
        with pytest.raises(UserError, match="name"):
            download(order(server, "good", name=name), PATIENCE).result()
    assert (path.read_bytes(), server.asked) == (before, [])
    assert download(order(server, "good", name="mine"), PATIENCE, overwrite=True).result() == path
    assert path.read_bytes() == server.content
    assert zoo.load_model("mine").name == "mine", "picked by the name it was given, not the one on the card"


def test_a_failed_replacement_keeps_the_old_model(server: ModelServer, home: Path) -> None:
    download(order(server, "good", name="mine"), PATIENCE).result()
    with pytest.raises(UserError, match="expected"):
        download(order(server, "lie", name="mine"), PATIENCE, overwrite=True).result()
    assert zoo.own_file("mine").read_bytes() == server.content


def test_the_proxy_of_the_environment_is_used(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    assert download(order(server, "http://models.invalid/good"), PATIENCE).result().is_file()
    assert server.asked == ["http://models.invalid/good"]


def test_a_dead_proxy_is_named(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UserError, match="HTTP_PROXY"):
        download(order(server, "http://models.invalid/good"), PATIENCE).result()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_is_refused(
    content: bytes, serve: Serve, tmp_path: Path, home: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(
        ["openssl", "req", *words, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = serve(content, context)
    safe = dataclasses.replace(order(server, "good"), urls=(server.url("good").replace("http:", "https:"),))
    with pytest.raises(UserError, match="certificate of 127"):
        download(safe, PATIENCE).result()
    assert (server.asked, files(home)) == ([], [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert download(safe, PATIENCE).result().read_bytes() == content


def test_a_full_disk_is_a_sentence_and_no_fault_of_the_mirror(
    server: ModelServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_emssl.models.download.fetch_model", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        download(order(server, "good", "good"), PATIENCE).result()
    assert "mirror" not in str(caught.value)
    assert files(home) == []


def test_what_a_killed_run_left_is_swept(server: ModelServer, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    mine = hidden_name(home / "models" / "download")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
    for path in (left, mine):
        path.write_bytes(b"x")
    download(order(server, "good"), PATIENCE).result()
    assert files(home) == [mine.name, "far.safetensors"]


def test_a_folder_that_cannot_be_made_is_a_sentence(server: ModelServer, home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(UserError, match="Cannot write"):
        download(order(server, "good"), PATIENCE).result()


@pytest.fixture
def zenodo(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doi.org and Zenodo's list of records are this computer's server."""

    def resolved(doi: str, **_: object) -> str:
        known = {"10.5281/zenodo.1": "https://zenodo.org/record", "10.5281/zenodo.2": "https://zenodo.org/gone"}
        return known.get(doi, "https://arxiv.org/abs/1")

    monkeypatch.setattr("pooch.downloaders.doi_to_url", resolved)
    monkeypatch.setattr("pooch.downloaders.ZenodoRepository.base_api_url", server.url("api"))
    monkeypatch.setattr("pooch.downloaders.DataverseRepository.initialize", lambda **_: None)


@pytest.mark.usefixtures("zenodo")
def test_a_model_comes_from_a_doi(server: ModelServer, home: Path) -> None:
    wanted = dataclasses.replace(order(server), urls=("doi:10.5281/zenodo.1/far.safetensors",))
    events = list(download(wanted, PATIENCE))
    assert (home / "models" / "far.safetensors").read_bytes() == server.content
    assert of_kind(events, Progress)[-1].step == len(server.content)
    assert server.asked == ["/api/record", "/good"]


@pytest.mark.usefixtures("zenodo")
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("doi:10.5281/zenodo.1/other.safetensors", "doi:10.5281/zenodo.1 has no file of that name"),
        ("doi:10.5281/zenodo.2/far.safetensors", "doi:10.5281/zenodo.2 gave nothing: its repository sent"),
        ("doi:10.48550/arXiv.1/far.safetensors", "only Zenodo, figshare and Dataverse"),
    ],
)
def test_a_doi_without_the_file_is_an_error(server: ModelServer, home: Path, url: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        list(download(dataclasses.replace(order(server), urls=(url,)), PATIENCE))
    assert files(home) == []
