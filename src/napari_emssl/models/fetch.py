"""Fetching a file from one of several addresses; the one place that goes to the network.

TLS certificates are always checked, proxies are those of the environment, and what came is what was promised or an
error: size and SHA-256 are counted while it arrives.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from ..errors import UserError
from .model_file import Card, read_model

_CHUNK_BYTES = 1 << 15
_MOST_BYTES = 1 << 32
_DOCUMENT_BYTES = 1 << 24
_HERE = ("localhost", "127.0.0.1", "::1")

Tell = Callable[[int, int | None], None]
"""Called with the bytes so far and in all (None: unknown); what it raises ends the download."""


@dataclass(frozen=True)
class Download:
    """A model file to fetch, and what it must be."""

    urls: tuple[str, ...]
    """Mirrors, tried in this order."""
    sha256: str
    name: str | None = None
    """Name in the zoo; None takes the one on the model's card."""
    bytes: int | None = None


def fetch_model(url: str, path: Path, order: Download, timeout_seconds: float, tell: Tell) -> Card:
    """Fetch a model file from one address to `path` and check that it is what `order` promises.

    Raises
    ------
    UserError
        When the address does not give the file; the sentence names the host.

    """
    host = host_of(url)
    with path.open("wb") as file:
        sink = _Sink(file, order.bytes or _MOST_BYTES, order.bytes, tell, host)
        _get(url, sink, timeout_seconds)
    if order.bytes is not None and sink.done != order.bytes:
        raise UserError(f"{host} gave a file that is cut short: {sink.done} of {order.bytes} bytes.")
    if sink.sha256.hexdigest() != order.sha256:
        raise UserError(
            f"{host} gave a file that is not what was promised: its SHA-256 is {sink.sha256.hexdigest()}, "
            f"not {order.sha256}. It was thrown away."
        )
    try:
        return read_model(path).card
    except UserError as error:
        raise UserError(f"{host} gave the file with the right SHA-256, but it is no model of napari-emssl.") from error


def read_document(url: str, timeout_seconds: float) -> bytes:
    """Return a small document whose checksum nobody knows, so that only ``https`` will do; raises `UserError`."""
    if _in_the_open(url):
        raise UserError(f"'{url}' could be changed on its way. Use its https address, or a copy in a file.")
    buffer = BytesIO()
    _get(url, _Sink(buffer, _DOCUMENT_BYTES, None, lambda _done, _total: None, host_of(url)), timeout_seconds, True)
    return buffer.getvalue()


def is_url(text: str) -> bool:
    """Whether this is an address, not a name or a file."""
    return "://" in text


def check_url(url: str) -> str:
    """Return `url`; raises `UserError` unless it is an ``https`` or ``http`` address."""
    try:
        good = urlsplit(url).scheme in ("https", "http") and bool(urlsplit(url).hostname)
    except ValueError:
        good = False
    if not good:
        raise UserError(f"'{url}' is no address to download from. It must begin with https:// or http://.")
    return url


def check_sha256(text: str) -> str:
    """Return a SHA-256 in lower case; raises `UserError` unless it has 64 hexadecimal digits."""
    digits = text.strip().lower().removeprefix("sha256:")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise UserError(f"'{text}' is no SHA-256: it has 64 digits of 0-9 and a-f.")
    return digits


def host_of(url: str) -> str:
    """Return the host of an address, with its port where one is given."""
    return urlsplit(url).netloc.rpartition("@")[2]


class _Sink:
    """Takes the bytes of a download: writes, counts and hashes them; pooch also takes it for a progress bar."""

    def __init__(self, file: BinaryIO, limit: int, total: int | None, tell: Tell, host: str) -> None:
        self.file, self.limit, self.tell, self.host = file, limit, tell, host
        self.expected, self.total, self.done = total, 0, 0
        self.sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        """Take the next bytes."""
        self.done += len(chunk)
        if self.done > self.limit:
            raise UserError(f"{self.host} gave more than the {self.limit} bytes that were promised.")
        self.sha256.update(chunk)
        self.tell(self.done, self.expected or max(self.total, 0) or None)
        return self.file.write(chunk)

    def flush(self) -> None:
        """Leave flushing to the end."""

    def update(self, _bytes: int) -> None:
        """Ignore pooch's count, which is one of chunks."""

    def reset(self) -> None:
        """Keep the count."""

    def close(self) -> None:
        """Tell the end where the server did not say the size; the file is its owner's to close."""
        if not self.expected and not self.total:
            self.tell(self.done, self.done)


def _get(url: str, sink: _Sink, timeout_seconds: float, only_tls: bool = False) -> None:
    """Send what `url` gives into `sink`; raises `UserError` when it gives nothing whole."""
    from pooch import HTTPDownloader

    def check(response: Any, *_: Any, **__: Any) -> None:
        if only_tls and response.is_redirect and _in_the_open(response.headers["location"]):
            raise UserError(f"{host_of(url)} sends on to an address without TLS, where it could be changed on its way.")

    # without an encoding the bytes that are counted are those of the file
    downloader = HTTPDownloader(
        progressbar=sink, chunk_size=_CHUNK_BYTES, timeout=timeout_seconds,
        headers={"Accept-Encoding": "identity"}, hooks={"response": check},
    )  # fmt: skip
    with _sentences(host_of(url), timeout_seconds, sink):
        downloader(check_url(url), sink, None)


@contextmanager
def _sentences(host: str, timeout_seconds: float, sink: _Sink) -> Iterator[None]:
    """Turn what requests and the libraries below it raise into a sentence about the host."""
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except UserError:
        raise
    except (RequestException, HTTPError, ValueError) as error:
        raise UserError(_sentence(error, host, timeout_seconds, sink)) from error


def _sentence(error: Any, host: str, timeout_seconds: float, sink: _Sink) -> str:
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"{host} answered {_status(error.response.status_code)}."
    if isinstance(error, exceptions.Timeout) or "Read timed out" in str(error):
        got = f" after {sink.done} bytes" if sink.done else ""
        return f"{host} sent nothing for {timeout_seconds:g} s{got}."
    if isinstance(error, exceptions.ChunkedEncodingError) or sink.done:
        return f"{host} broke off after {sink.done} bytes" + (f" of {sink.total}." if sink.total else ".")
    if isinstance(error, exceptions.SSLError):
        return f"The certificate of {host} is not to be trusted, so nothing was fetched."
    if isinstance(error, exceptions.ProxyError):
        return f"The proxy on the way to {host} cannot be reached. HTTPS_PROXY and HTTP_PROXY name it."
    if isinstance(error, exceptions.ConnectionError):
        return f"{host} cannot be reached{_reason(error)}."
    return f"{host} gave nothing ({type(error).__name__})."


def _status(code: int) -> str:
    """Return a status in our words, not the server's."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _reason(error: Exception) -> str:
    """Return why a connection failed, where the error says so in words that mean something."""
    text = str(error)
    known = {
        "NameResolution": ": its name is not known here, or there is no network",
        "Failed to resolve": ": its name is not known here, or there is no network",
        "refused": ": it refuses connections",
        "unreachable": ": there is no network",
    }
    return next((words for sign, words in known.items() if sign in text), "")


def _in_the_open(url: str) -> bool:
    """Whether others on the network could change what an address gives."""
    return urlsplit(url).scheme == "http" and urlsplit(url).hostname not in _HERE
