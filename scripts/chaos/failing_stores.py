"""Stores of live sessions that can be taken away and given back."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.postgres import running_postgres
from tests.fixtures.redis import RedisServer

DISK_BYTES = 8 << 20
_BLOCK_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class FailingStore:
    """What live sessions are kept in, and what can happen to it.

    Attributes:
        settings: Of the servers that use it.
        fail: Takes it away, without a warning.
        mend: Gives it back, with what it had.
    """

    settings: Mapping[str, str]
    fail: Callable[[], None]
    mend: Callable[[], None]


@contextmanager
def postgresql(_scratch: Path) -> Iterator[FailingStore]:
    """A PostgreSQL that is killed and started again."""
    with running_postgres() as server:
        url = server.create_database()
        # The fixture's server does not wait for the log to be written; an operator's does.
        server.query(f"alter database {url.rpartition('/')[2]} set synchronous_commit = on")
        yield FailingStore({"ASR_DATABASE__URL": url}, server.kill, server.start)


@contextmanager
def redis(scratch: Path) -> Iterator[FailingStore]:
    """A Redis, for the journal and for events, that is killed and started again; results are in SQLite."""
    directory = scratch / "redis"
    directory.mkdir()
    server = RedisServer(directory)
    server.start()
    try:
        settings = {"ASR_JOURNAL__URL": server.url, "ASR_EVENTS__URL": server.url, **_sqlite_in(scratch)}
        yield FailingStore(settings, server.kill, server.start)
    finally:
        server.kill()


@contextmanager
def small_disk(scratch: Path) -> Iterator[FailingStore]:
    """SQLite on a file system of ``DISK_BYTES`` that is full for a while; mounting it takes the rights of root."""
    disk = scratch / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
    filler = disk / "filler"
    try:
        yield FailingStore(_sqlite_in(disk), lambda: _fill(filler), filler.unlink)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # the server still has its files open


def _sqlite_in(folder: Path) -> dict[str, str]:
    return {"ASR_DATABASE__URL": f"sqlite:///{folder.resolve()}/asr.db"}


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(_BLOCK_BYTES))
        except OSError:  # there is no space left
            pass
