"""A server on this machine that gives a file as the last part of the address says: well, or as bad servers do."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class ModelServer:
    """Serves `content`; `asked` holds the addresses that were asked for, as they were sent."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[str] = []
        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def url(self, manner: str) -> str:
        """Address that behaves in this manner, a method of the handler below."""
        return f"http://127.0.0.1:{self.server.server_port}/{manner}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

            def do_GET(self) -> None:
                owner.asked.append(self.path)
                with suppress(BrokenPipeError, ConnectionResetError):
                    getattr(self, urlsplit(self.path).path.rpartition("/")[2])()

            def give(self, content: bytes, length: int | str | None, status: int = 200, **headers: str) -> None:
                self.send_response(status)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()

            def good(self) -> None:
                self.give(owner.content, len(owner.content))

            def unsized(self) -> None:
                self.give(owner.content, None)

            def lie(self) -> None:
                wrong = owner.content[:-1] + bytes([owner.content[-1] ^ 1])
                self.give(wrong, len(wrong))

            def truncate(self) -> None:
                self.give(owner.content[: len(owner.content) // 2], len(owner.content))

            def short(self) -> None:
                self.give(owner.content[:-7], len(owner.content) - 7)

            def endless(self) -> None:
                self.give(owner.content, None)
                while True:
                    self.wfile.write(bytes(1 << 16))

            def stall(self) -> None:
                self.give(owner.content[: len(owner.content) // 2], len(owner.content))
                owner.released.wait(600)

            def silent(self) -> None:
                owner.released.wait(600)

            def slow(self) -> None:
                self.give(b"", len(owner.content))
                for at in range(0, len(owner.content), 10000):
                    self.wfile.write(owner.content[at : at + 10000])
                    self.wfile.flush()
                    owner.released.wait(0.03)

            def missing(self) -> None:
                self.give(b"no", 2, 404)

            def broken(self) -> None:
                self.give(b"no", 2, 500)

            def odd(self) -> None:
                self.give(b"no", "many", 200)

            def record(self) -> None:
                """What Zenodo says of a record with one file."""
                files = [{"key": "far.safetensors", "links": {"self": owner.url("good")}}]
                content = json.dumps({"id": 123, "files": files}).encode()
                self.give(content, len(content))

            def gone(self) -> None:
                content = b'{"status": 410, "message": "deleted"}'
                self.give(content, len(content), 410)

            def redirect(self) -> None:
                self.give(b"", 0, 302, Location="/good")

            def downgrade(self) -> None:
                self.give(b"", 0, 302, Location="http://models.invalid/good")

            def circle(self) -> None:
                self.give(b"", 0, 302, Location="/circle")

        return Handler


Serve = Callable[..., ModelServer]


@contextmanager
def serving(content: bytes, tls: ssl.SSLContext | None = None) -> Iterator[ModelServer]:
    """Run a server of `content` while the context is open."""
    served = ModelServer(content)
    if tls is not None:
        served.server.socket = tls.wrap_socket(served.server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=served.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        served.released.set()
        served.server.shutdown()
        thread.join()
        served.server.server_close()
