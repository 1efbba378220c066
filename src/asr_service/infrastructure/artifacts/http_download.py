"""Downloads that survive a broken connection."""

import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from asr_service.infrastructure.artifacts.staging import SourceFailed, sha256_of, sync

MAX_FRUITLESS_TRIES = 3  # in a row, each without one new byte
_CONNECT_TIMEOUT_S = 10.0
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}


def open_client(
    *,
    certificates: Path | None = None,
    proxy: str | None = None,
    trusted_hosts: Sequence[str] = (),
    read_timeout_s: float = 60.0,
) -> httpx.Client:
    """A client that trusts the system's certificates, those that ``SSL_CERT_FILE`` names, and ``certificates``.

    ``trusted_hosts`` are not asked for a valid certificate, as with pip; what they send is checked by checksum anyway.

    Raises:
        SourceFailed: The certificates cannot be read, or the proxy is none.
    """
    try:
        context = httpx.create_ssl_context()
        context.load_default_certs()
        if certificates is not None:
            context.load_verify_locations(cafile=certificates)
        return httpx.Client(
            verify=context,
            proxy=proxy,
            mounts={f"https://{host}": httpx.HTTPTransport(verify=False) for host in trusted_hosts},
            timeout=httpx.Timeout(read_timeout_s, connect=_CONNECT_TIMEOUT_S),
            follow_redirects=True,
            headers={"Accept-Encoding": "identity"},  # byte ranges count what is stored, not what is packed for the way
        )
    except (OSError, ssl.SSLError, httpx.InvalidURL, ValueError) as error:
        raise SourceFailed(f"the HTTP client cannot be set up: {error}") from error


class Download:
    """One file to fetch. What a broken download left beside the target is where the next one goes on.

    ``pause_s`` is waited after a fruitless try, growing with each one.
    """

    def __init__(self, client: httpx.Client, target: Path, *, size_bytes: int, sha256: str, pause_s: float) -> None:
        self._client = client
        self._target = target
        self._size_bytes = size_bytes
        self._sha256 = sha256
        self._pause_s = pause_s
        self._part = target.with_name(target.name + ".part")

    def is_complete(self) -> bool:
        """Whether an earlier download has left the whole file."""
        return self._target.exists() and sha256_of(self._target) == self._sha256

    def run(self, url: str, on_bytes: Callable[[int], None]) -> None:
        """Fetches the file, telling how many of its bytes are there.

        Raises:
            SourceFailed: The server does not have it, breaks off again and again, or sends something else.
        """
        if self.is_complete():
            on_bytes(self._size_bytes)
            return
        self._target.parent.mkdir(parents=True, exist_ok=True)
        resumed = self._kept_bytes() > 0
        self._complete(url, on_bytes)
        if resumed and sha256_of(self._part) != self._sha256:
            self._part.unlink()  # the old part may have come from somewhere else
            self._complete(url, on_bytes)
        if sha256_of(self._part) != self._sha256:
            self._part.unlink()
            raise SourceFailed(f"{self._target.name} has the wrong checksum")
        self._part.replace(self._target)

    def _kept_bytes(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _complete(self, url: str, on_bytes: Callable[[int], None]) -> None:
        """Asks again after every break until all bytes are there."""
        fruitless = 0
        while (kept_bytes := self._kept_bytes()) < self._size_bytes:
            reason = self._receive(url, kept_bytes, on_bytes)
            fruitless = 0 if self._kept_bytes() > kept_bytes else fruitless + 1
            if fruitless == MAX_FRUITLESS_TRIES:
                raise SourceFailed(f"{self._target.name}: {reason}")
            time.sleep(self._pause_s * fruitless)

    def _receive(self, url: str, kept_bytes: int, on_bytes: Callable[[int], None]) -> str:
        """Appends what one request brings; returns why it ended."""
        headers = {"Range": f"bytes={kept_bytes}-"} if kept_bytes else {}
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                if response.status_code in _TRANSIENT_STATUS:
                    return f"HTTP status {response.status_code}"
                start = self._start_of(response, kept_bytes)
                with self._part.open("r+b" if start else "wb") as output:
                    output.seek(start)
                    for chunk in response.iter_bytes():
                        if output.tell() + len(chunk) > self._size_bytes:
                            raise SourceFailed(f"{self._target.name} is larger than {self._size_bytes} bytes")
                        output.write(chunk)
                        on_bytes(output.tell())
                    sync(output)
        except httpx.TransportError as broken:
            return f"{type(broken).__name__}: {broken}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceFailed(f"{self._target.name}: {error}") from error
        return "the connection was closed early"

    def _start_of(self, response: httpx.Response, kept_bytes: int) -> int:
        """Where the answer's first byte belongs; 0 when the server does not know ranges and sends the whole file.

        Raises:
            SourceFailed: The server refuses, or has a file of another size.
        """
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            found = response.headers.get("Content-Range", "")
            if found != f"bytes {kept_bytes}-{self._size_bytes - 1}/{self._size_bytes}":
                raise SourceFailed(f"{self._target.name}: the server sent the range {found!r}")
            return kept_bytes
        if response.status_code != httpx.codes.OK:
            raise SourceFailed(f"{self._target.name}: HTTP status {response.status_code}")
        length = response.headers.get("Content-Length")
        if length is not None and int(length) != self._size_bytes:
            raise SourceFailed(f"{self._target.name}: {length} bytes instead of {self._size_bytes}")
        return 0
