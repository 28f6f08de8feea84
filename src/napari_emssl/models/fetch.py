"""Fetching a file from an address or a DOI; the one module that uses the network.

TLS certificates are always checked and proxies are those of the environment. What arrives is what was promised, or an
error: its size and SHA-256 are computed on the way.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from ..errors import UserError
from .model_file import Card, read_model

if TYPE_CHECKING:
    from requests import Response

_CHUNK_BYTES = 1 << 15
_MOST_BYTES = 1 << 32
"""Limit on a model of unknown size: a server might never stop sending."""
_DOCUMENT_BYTES = 1 << 24
"""Limit on a registry."""
_HERE = ("localhost", "127.0.0.1", "::1")
"""Hosts whose answers nobody on the network can change."""

_DOI = re.compile(r"doi:10\.\d{4,9}/[^\s?#]+/[^\s/?#]+")
"""A DOI with the name of one of its files: ``doi:10.5281/zenodo.1234567/model.safetensors``."""

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes so far and in all (None: unknown); an exception that it raises ends the download."""


@dataclass(frozen=True)
class Download:
    """A file to fetch, and what it must be."""

    urls: tuple[str, ...]
    """Mirrors, tried in this order."""
    sha256: str
    name: str | None = None
    """Name of a model in the zoo; None takes the one on its card."""
    bytes: int | None = None


def fetch_model(url: str, path: Path, wanted: Download, timeout_seconds: float, on_bytes: OnBytes) -> Card:
    """Fetch a model file from one address, as `fetch_file` does; return the model's card.

    Parameters
    ----------
    url, path, wanted, timeout_seconds, on_bytes
        As for `fetch_file`.

    Raises
    ------
    UserError
        When the address does not give the file, or it is no model; the text names the host.

    """
    fetch_file(url, path, wanted, timeout_seconds, on_bytes)
    try:
        return read_model(path).card
    except UserError as error:
        raise UserError(
            f"{host_of(url)} sent the file with the right SHA-256, but it is not a model of napari-emssl."
        ) from error


def fetch_file(url: str, path: Path, wanted: Download, timeout_seconds: float, on_bytes: OnBytes) -> None:
    """Fetch a file from one address and check that it is what was promised.

    Parameters
    ----------
    url
        The address.
    path
        The file to write; what it holds is worth nothing unless this function returns.
    wanted
        Size and SHA-256 of the file.
    timeout_seconds
        How long the server may be silent.
    on_bytes
        Called with each chunk that arrives.

    Raises
    ------
    UserError
        When the address does not give the file; the text names the host.

    """
    host = host_of(url)
    with path.open("wb") as file:
        sink = _Sink(file, wanted.bytes or _MOST_BYTES, wanted.bytes, on_bytes, host)
        _get(url, sink, timeout_seconds)
    if wanted.bytes is not None and sink.done != wanted.bytes:
        raise UserError(f"{host} sent a file that is cut short: {sink.done} of {wanted.bytes} bytes.")
    if sink.sha256.hexdigest() != wanted.sha256:
        raise UserError(
            f"{host} sent a file that is not the expected one: its SHA-256 begins with "
            f"{sink.sha256.hexdigest()[:16]}, not {wanted.sha256[:16]}. It was deleted."
        )


def read_document(url: str, timeout_seconds: float) -> bytes:
    """Return a small document from an address; raises `UserError` when that gives nothing.

    Nobody knows its checksum beforehand, so the address, and every one it redirects to, must be ``https`` or on this
    machine.
    """
    if _is_open_to_tampering(url):
        raise UserError(f"'{url}' could be changed on the way here. Use its https address, or a copy in a file.")
    buffer = BytesIO()
    _get(url, _Sink(buffer, _DOCUMENT_BYTES, None, lambda _done, _total: None, host_of(url)), timeout_seconds, True)
    return buffer.getvalue()


def is_url(text: str) -> bool:
    """Whether this is an address or a DOI, not a name or a file."""
    return "://" in text or is_doi(text)


def is_doi(text: str) -> bool:
    """Whether this is meant as a DOI."""
    return text.lower().startswith("doi:")


def check_url(url: str) -> str:
    """Return `url`; raises `UserError` unless it is an ``https`` or ``http`` address, or a DOI with a file's name."""
    if is_doi(url):
        if not _DOI.fullmatch(url):
            raise UserError(f"'{url}' names no file of a DOI. Write it as doi:10.5281/zenodo.1234567/FILE.")
        return url
    try:
        good = urlsplit(url).scheme in ("https", "http") and bool(urlsplit(url).hostname)
    except ValueError:
        good = False
    if not good:
        raise UserError(f"'{url}' is not an address to download from. It must begin with https://, http:// or doi:.")
    return url


def check_sha256(text: str) -> str:
    """Return a SHA-256 in lower case; raises `UserError` unless it has 64 hexadecimal digits."""
    digits = text.strip().lower().removeprefix("sha256:")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise UserError(f"'{text}' is not a SHA-256: that has 64 digits of 0-9 and a-f.")
    return digits


def host_of(url: str) -> str:
    """Return the host of an address, with its port where one is given; a DOI without its file is its own host."""
    if is_doi(url):
        return url.rpartition("/")[0]
    return urlsplit(url).netloc.rpartition("@")[2]


class _Sink:
    """Where the bytes of a download go: written, counted and hashed; to pooch it is its progress bar, too."""

    def __init__(self, file: BinaryIO, limit: int, total: int | None, on_bytes: OnBytes, host: str) -> None:
        self.file, self.limit, self.on_bytes, self.host = file, limit, on_bytes, host
        self.expected, self.total, self.done = total, 0, 0
        self.sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        """Take the next bytes; raises `UserError` beyond the limit."""
        self.done += len(chunk)
        if self.done > self.limit:
            raise UserError(f"{self.host} sent more than the {self.limit} bytes that were expected.")
        self.sha256.update(chunk)
        self.on_bytes(self.done, self.expected or max(self.total, 0) or None)
        return self.file.write(chunk)

    def flush(self) -> None:
        """Do nothing: the file is flushed when it is closed."""

    def update(self, _bytes: int) -> None:
        """Do nothing: pooch counts chunks, `write` counts bytes."""

    def reset(self) -> None:
        """Do nothing, so that the count is kept."""

    def close(self) -> None:
        """Report the end where the server did not say the size; whoever opened the file closes it."""
        if not self.expected and not self.total:
            self.on_bytes(self.done, self.done)


def _get(url: str, sink: _Sink, timeout_seconds: float, only_tls: bool = False) -> None:
    """Send what `url` gives into `sink`; raises `UserError` when it gives nothing whole."""
    from pooch import DOIDownloader, HTTPDownloader

    def check(response: "Response", *_: object, **__: object) -> None:
        # a redirection from https to http would hand the document to whoever is on the way
        if only_tls and response.is_redirect and _is_open_to_tampering(response.headers["location"]):
            raise UserError(
                f"{host_of(url)} redirects to an address without TLS, which others could change on the way here."
            )

    # without compression on the way, the bytes that are counted and hashed are those of the file
    downloader = (DOIDownloader if is_doi(url) else HTTPDownloader)(
        progressbar=sink, chunk_size=_CHUNK_BYTES, timeout=timeout_seconds,
        headers={"Accept-Encoding": "identity"}, hooks={"response": check},
    )  # fmt: skip
    with _errors_described(host_of(url), timeout_seconds, sink):
        downloader(check_url(url), sink, None)


@contextmanager
def _errors_described(host: str, timeout_seconds: float, sink: _Sink) -> Iterator[None]:
    """Turn what requests and the libraries below it raise into a `UserError` about the host."""
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except UserError:
        raise
    except (RequestException, HTTPError, ValueError) as error:
        raise UserError(_describe(error, host, timeout_seconds, sink)) from error
    except (KeyError, TypeError, IndexError) as error:
        if not is_doi(host):
            raise
        raise UserError(f"{host} gave nothing: its repository sent an unknown answer.") from error


def _describe(error: Exception, host: str, timeout_seconds: float, sink: _Sink) -> str:
    """Say what went wrong; the order matters, since requests derives many of these errors from ConnectionError."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"{host} answered {_status(error.response.status_code)}."
    if is_doi(host) and "not found in data archive" in str(error):
        return f"{host} has no file of that name."
    if is_doi(host) and "Invalid data repository" in str(error):
        return f"{host} is in a repository that is not known here: only Zenodo, figshare and Dataverse are."
    if isinstance(error, exceptions.Timeout) or "Read timed out" in str(error):
        got = f" after {sink.done} bytes" if sink.done else ""
        return f"{host} sent nothing for {timeout_seconds:g} s{got}."
    if isinstance(error, exceptions.ChunkedEncodingError) or sink.done:
        return f"{host} stopped sending after {sink.done} bytes" + (f" of {sink.total}." if sink.total else ".")
    if isinstance(error, exceptions.SSLError):
        return f"The certificate of {host} cannot be trusted, so nothing was downloaded."
    if isinstance(error, exceptions.ProxyError):
        return f"The proxy on the way to {host} cannot be reached. Check HTTPS_PROXY and HTTP_PROXY."
    if isinstance(error, exceptions.ConnectionError):
        return f"{host} cannot be reached{_reason(error)}."
    return f"{host} gave nothing ({type(error).__name__})."


def _status(code: int) -> str:
    """Return a status in the standard's words: a server may send any text with it."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _reason(error: Exception) -> str:
    """Return why a connection failed, where the error's text says so."""
    text = str(error)
    known = {
        "NameResolution": ": its name is not known here, or there is no network",
        "Failed to resolve": ": its name is not known here, or there is no network",
        "refused": ": it refuses connections",
        "unreachable": ": there is no network",
    }
    return next((words for sign, words in known.items() if sign in text), "")


def _is_open_to_tampering(url: str) -> bool:
    """Whether others on the network could change what an address sends: http, but for this machine's own."""
    return urlsplit(url).scheme == "http" and urlsplit(url).hostname not in _HERE
