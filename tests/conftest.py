"""Fixtures shared by all rooms."""

import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from model_server import ModelServer, Serve, serving

pytest.register_assert_rewrite("terminal")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of its own for each test; it is not there yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("NAPARI_EMSSL_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """A test that sets the number of threads leaves it as it was: sums come out otherwise by another number."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    if torch and before:
        torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Random weights and images of a test are the same each time, whatever ran before: a rare network answers 0."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def direct_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no registry of the environment that the tests run in."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NAPARI_EMSSL_REGISTRIES", raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve bytes from this computer until the test is over, well or as bad servers do."""
    with ExitStack() as servers:

        def start(content: bytes, tls: ssl.SSLContext | None = None) -> ModelServer:
            return servers.enter_context(serving(content, tls))

        yield start


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real micrographs for development; the test is skipped where it is absent."""
    root = Path(__file__).parents[2] / "shared" / "data"
    if not root.is_dir():
        pytest.skip(f"no development micrographs at {root}")
    return root
