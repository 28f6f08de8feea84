"""The real micrograph is downloaded once, is the published file or nothing, and says where it comes from."""

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from model_server import ModelServer, Serve
from PIL import Image

from napari_emssl.errors import UserError
from napari_emssl.gui.plugin import micrograph

pytestmark = pytest.mark.usefixtures("direct_network")


@pytest.fixture
def server(serve: Serve) -> ModelServer:
    picture = io.BytesIO()
    Image.fromarray(np.tile(np.arange(48, dtype=np.uint8), (32, 1))).convert("RGB").save(picture, "jpeg")
    return serve(picture.getvalue())


@pytest.fixture
def point(server: ModelServer, monkeypatch: pytest.MonkeyPatch):
    """Let the sample come from the server, which behaves in this manner, or from another address."""

    def to(manner: str) -> None:
        url = manner if "://" in manner else server.url(manner)
        digest = hashlib.sha256(server.content).hexdigest()
        wanted = dataclasses.replace(micrograph.DOWNLOAD, urls=(url,), sha256=digest, bytes=len(server.content))
        monkeypatch.setattr(micrograph, "DOWNLOAD", wanted)

    return to


def test_it_is_downloaded_once_and_names_its_source(point, server: ModelServer) -> None:
    point("good")
    ((plane, options, kind),) = micrograph.platinum_on_carbon()
    micrograph.platinum_on_carbon()
    assert server.asked == ["/good"]
    assert (plane.shape, plane.dtype, kind) == ((32, 48), np.uint8, "image")
    assert "MIT" in options["metadata"]["napari_emssl_sample"]["licence"]


def test_a_kept_file_that_was_damaged_is_downloaded_again(point, server: ModelServer, home: Path) -> None:
    point("good")
    micrograph.platinum_on_carbon()
    (kept,) = (home / "samples").iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    micrograph.platinum_on_carbon()
    assert kept.read_bytes() == server.content


@pytest.mark.parametrize("manner", ["lie", "short", "missing", "http://127.0.0.1:9/nobody"])
def test_anything_else_is_a_sentence_with_a_way_out_and_leaves_nothing(point, home: Path, manner: str) -> None:
    point(manner)
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*simulated samples need no network.*drop the file"):
        micrograph.platinum_on_carbon()
    assert not list(home.glob("samples/*"))


def test_the_address_names_a_commit_and_the_digest_is_that_of_the_file(shared_data: Path) -> None:
    file = shared_data / "unlabelled" / "permissive" / "stem-catalysts" / "Pt_carbon1.jpg"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == micrograph.DOWNLOAD.sha256
    assert file.stat().st_size == micrograph.DOWNLOAD.bytes
