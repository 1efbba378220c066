"""The real service as a process of its own, to be measured from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from scripts.benchmarks.processes import family

START_TIMEOUT_S = 60.0  # alone it takes 3 s
STOP_TIMEOUT_S = 90.0  # more than the service gives its sessions to end
_POLL_INTERVAL_S = 0.05
_SHOWN_CHARACTERS = 4_000  # of the log, when the service does not start


class ServiceNotStarted(Exception):
    """The service ended, or was not ready in time; the message holds the end of its log."""


class ServiceProcess:
    """A running service: where it is, and what it says of itself.

    Attributes:
        http_url: Its address, without a slash at the end.
        log_path: What it has written to standard output and standard error, a JSON object a line.
    """

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self._process = process
        self.log_path = log_path
        self.http_url = ""

    @property
    def pid(self) -> int:
        """The process that clients talk to."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """The same, and the processes that work for it."""
        return family(self.pid)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.http_url.rsplit(":", 1)[1])

    @property
    def stream_url(self) -> str:
        """Where the native protocol is spoken."""
        return self.http_url.replace("http://", "ws://") + "/api/v1/stream"

    def metrics_text(self) -> str:
        """What ``/metrics`` says now."""
        return httpx.get(f"{self.http_url}/metrics", timeout=30).raise_for_status().text

    def wait_until_ready(self) -> None:
        """Returns when work can be sent.

        Raises:
            ServiceNotStarted: It ended, or it took too long.
        """
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                log = self.log_path.read_text(encoding="utf-8")
                raise ServiceNotStarted(f"The service is not ready; its log ends with:\n{log[-_SHOWN_CHARACTERS:]}")
            time.sleep(_POLL_INTERVAL_S)

    def _is_ready(self) -> bool:
        self.http_url = self.http_url or self._announced_url()
        return bool(self.http_url) and httpx.get(f"{self.http_url}/health/ready", timeout=30).status_code == 200

    def _announced_url(self) -> str:
        for line in self.log_path.read_text(encoding="utf-8").splitlines():
            if '"listening"' in line and line.endswith("}"):
                return str(json.loads(line)["url"]).rstrip("/")
        return ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log about one kind of event."""
        lines = self.log_path.read_text(encoding="utf-8").splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in told if line["event"] == name]

    def kill(self) -> None:
        """Ends it as the kernel does when memory is out: nothing is stored, nobody is told."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ends the service as an operator does, by SIGTERM; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        finally:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_service(folder: Path, **settings: str) -> Iterator[ServiceProcess]:
    """A service on a port that the system chooses, ready for work; it is stopped when the block ends.

    It has the settings that this process's environment names, a database of its own, and what is given.

    Args:
        folder: Is there. The database ``asr.db`` in it is made, or used again; the log ``service.log`` is begun anew.
        settings: Variables, for example ``ASR_RECOGNIZER__WORKERS="1"``.

    Raises:
        ServiceNotStarted: It ended before it was ready, or was not ready in time.
    """
    service = launch_service(folder, 0, **settings)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()


def launch_service(folder: Path, port: int = 0, **settings: str) -> ServiceProcess:
    """The same, but it need not be ready yet, and whoever launched it ends it.

    Args:
        folder: As for ``running_service``.
        port: Where it listens; 0: the system chooses.
        settings: As for ``running_service``.
    """
    own = {"ASR_DATABASE__URL": f"sqlite:///{folder.resolve()}/asr.db", "ASR_LOGGING__FORMAT": "json"}
    log_path = folder / "service.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "asr_service", "serve", "--port", str(port)],
            env=os.environ | own | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return ServiceProcess(process, log_path)
