"""A real HTTP server on this machine whose connections break where a test says so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer:
    """Serves ``files`` by path, with byte ranges.

    Attributes:
        files: Path to content. A content type of JSON is told for paths in ``json_paths``.
        requests: Path and ``Range`` header of every request so far.
        authorizations: ``Authorization`` headers seen.
        cuts: For each next answer with a body, after how many bytes the connection breaks; ``None`` lets it through.
        statuses: For each next request, an error status to answer with.
        knows_ranges: Whether ``Range`` is honoured.
        gate: Once set by a test to an event, bodies stop half-way until the event is set.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.json_paths: set[str] = set()
        self.requests: list[tuple[str, str | None]] = []
        self.authorizations: list[str] = []
        self.cuts: list[int | None] = []
        self.statuses: list[int] = []
        self.knows_ranges = True
        self.gate: threading.Event | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    @contextmanager
    def running(self) -> Iterator["FileServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            if self.gate is not None:
                self.gate.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def put_json(self, path: str, value: Any) -> None:
        self.files[path] = json.dumps(value).encode()
        self.json_paths.add(path)

    def _handler_class(owner) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner._answer(self)

            def log_message(self, *arguments: Any) -> None:
                """Says nothing on the console."""

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        if "Authorization" in handler.headers:
            self.authorizations.append(handler.headers["Authorization"])
        if self.statuses:
            handler.send_error(self.statuses.pop(0))
        elif handler.path not in self.files:
            handler.send_error(404)
        else:
            self._send(handler, self.files[handler.path], wanted if self.knows_ranges else None)

    def _send(self, handler: BaseHTTPRequestHandler, content: bytes, wanted: str | None) -> None:
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = content[start:]
        handler.send_response(206 if wanted else 200)
        if wanted:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        kind = "application/vnd.pypi.simple.v1+json" if handler.path in self.json_paths else "text/html"
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        cut = self.cuts.pop(0) if self.cuts else None
        if self.gate is not None:
            handler.wfile.write(body[: len(body) // 2])
            self.gate.wait()
            body = body[len(body) // 2 :]
        handler.wfile.write(body if cut is None else body[:cut])
