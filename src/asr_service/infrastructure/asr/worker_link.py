"""The parent's end of one worker process, from its start to its last trace."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import structlog

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.infrastructure.asr.worker_messages import (
    Batch,
    BatchAnswered,
    BatchFailed,
    LogLine,
    Probe,
    Ready,
    StartFailed,
    encode,
    receive_message,
)
from asr_service.infrastructure.asr.worker_process import run_worker

log = structlog.get_logger(__name__)

_SPAWN = multiprocessing.get_context("spawn")  # fork would copy the locks of the parent's threads in whatever state
_KILL_GRACE_S = 5.0  # a killed process is gone in milliseconds, unless the kernel itself (a driver) holds it
_LAST_WORDS_S = 1.0  # for what an ended process had written; longer only if a process of its own holds the sockets open
_OUTPUT_TAIL_BYTES = 4096  # enough for the trace of a crash
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WorkerEnd(StrEnum):
    """Why a worker process ended."""

    CRASHED = "crashed"  # it died by itself, or was killed from outside
    HUNG = "hung"  # it did not answer in time and was killed
    RECYCLED = "recycled"  # it was over its memory ceiling and was replaced


class WorkerDied(Exception):
    """The process ended before it answered; whoever asked may ask another one."""


class WorkerStartFailed(Exception):
    """The process did not become ready."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class BatchRejected(Exception):
    """The engine raised on the batch as a whole; the worker lives."""


class WorkerLink:
    """One worker process. Questions are asked one at a time; the process may end at any moment.

    A question that is not answered in time, or whose asker is cancelled, ends the process.

    Asyncio streams over a socket pair carry the messages. A thread that blocks on a ``multiprocessing`` pipe would be
    stuck for as long as a stopped worker does not read, and could not be cancelled; a stream has deadlines for free and
    notices the end of the process at once. What the event loop pays is the pickling and writing of one request at a
    time, 1.2 ms for 30 s of audio (measured, 960 kB), since the writer waits for the socket between requests.

    Args:
        name: Name of the process.
        factory: A pickled ``EngineFactory``.
        on_end: Called once, when the process has ended.
    """

    def __init__(self, name: str, factory: bytes, on_end: Callable[[], None]) -> None:
        self.name = name
        self.pid: int | None = None
        self.end = WorkerEnd.CRASHED
        self.end_reason = ""
        self.output_tail = b""
        self._given_up = False
        self._on_end = on_end
        self._factory = factory
        self._ended = asyncio.Event()
        self._exited = asyncio.Event()
        self._answer: asyncio.Future[object] | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._writers: list[asyncio.StreamWriter] = []  # the channel's, then the output's, which says nothing
        self._life: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be asked something: its process runs and has not been given up."""
        return self._running and not self._given_up

    @property
    def _running(self) -> bool:
        return self._life is not None and not self._ended.is_set()

    async def start(self, timeout_s: float) -> RecognizerCapabilities:
        """Starts the process and waits until its engine is ready.

        Raises:
            WorkerStartFailed: The process could not be started, the engine could not be loaded or failed its self-test,
                or that took longer than ``timeout_s``. The caller still has to ``stop`` it.
        """
        try:
            await self._launch()
            answer = await self._ask((), timeout_s)
        except WorkerDied as death:
            raise WorkerStartFailed(f"The worker ended before it was ready: {death}") from death
        except OSError as error:
            raise WorkerStartFailed(f"The worker process could not be started: {error}") from error
        if isinstance(answer, StartFailed):
            raise WorkerStartFailed(answer.reason, answer.hint)
        assert isinstance(answer, Ready)
        return answer.capabilities

    async def recognize(self, requests: Sequence[RecognitionRequest], timeout_s: float) -> BatchAnswered:
        """Has the batch recognized.

        Raises:
            WorkerDied: The process ended first, or was killed because ``timeout_s`` had passed.
            BatchRejected: The engine raised.
        """
        frames = (encode(message) for message in (Batch(len(requests)), *requests))
        answer = await self._ask(frames, timeout_s)
        if isinstance(answer, BatchFailed):
            raise BatchRejected(answer.reason)
        assert isinstance(answer, BatchAnswered)
        return answer

    async def probe(self, timeout_s: float) -> None:
        """Returns when the worker shows that it lives.

        Raises:
            WorkerDied: It does not; it is killed if ``timeout_s`` had passed.
        """
        await self._ask((encode(Probe()),), timeout_s)

    async def stop(self, grace_s: float) -> None:
        """Ends the process: hangs up, which an idle worker obeys at once, and kills it after ``grace_s``. Repeatable."""
        if not self._running:
            await self._close_sockets()
            return
        self._writers[0].close()
        if not await self._ended_within(grace_s):
            self._kill()
            if not await self._ended_within(_KILL_GRACE_S):
                log.error("worker_unkillable", worker=self.name, pid=self.pid)

    def rss_bytes(self) -> int | None:
        """Resident memory of the process; ``None`` when it has ended, or when the system has no ``/proc``."""
        if not self.alive:
            return None
        try:
            statm = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        return int(statm.split()[1]) * _PAGE_BYTES

    async def _launch(self) -> None:
        reader, channel = await self._open_socket()
        with channel:
            output_reader, output = await self._open_socket()
            with output, _main_module_hidden():
                self._process = _SPAWN.Process(
                    target=run_worker, args=(channel, output, self._factory), name=self.name, daemon=True
                )
                self._process.start()  # 1–5 ms (measured): forks without copying and does not wait for the child
        self.pid = self._process.pid
        sentinel = self._process.sentinel
        asyncio.get_running_loop().add_reader(sentinel, self._note_exit, sentinel)
        self._life = asyncio.create_task(self._live(self._process, reader, output_reader))

    async def _open_socket(self) -> tuple[asyncio.StreamReader, socket.socket]:
        """This end of a new socket pair as a stream, and the end that is for the process."""
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        self._writers.append(writer)
        return reader, theirs

    async def _close_sockets(self) -> None:
        for writer in self._writers:
            writer.transport.abort()  # nobody is left to read what was not sent
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _live(
        self,
        process: multiprocessing.process.BaseProcess,
        reader: asyncio.StreamReader,
        output_reader: asyncio.StreamReader,
    ) -> None:
        """Accompanies the process: passes its answers on, and leaves neither zombie nor descriptor at its end."""
        readers = {asyncio.create_task(self._receive(reader)), asyncio.create_task(self._keep_tail(output_reader))}
        await self._exited.wait()
        _, unfinished = await asyncio.wait(readers, timeout=_LAST_WORDS_S)
        for task in unfinished:
            task.cancel()
        await self._close_sockets()
        process.join()  # does not block: the sentinel says that the process is gone
        self.end_reason = self.end_reason or _exit_text(process.exitcode)
        process.close()
        self._ended.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerDied(self.end_reason))
        self._on_end()

    def _note_exit(self, sentinel: int) -> None:
        asyncio.get_running_loop().remove_reader(sentinel)
        self._exited.set()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while (message := await receive_message(reader)) is not None:
            if isinstance(message, LogLine):
                log.bind(**{**message.fields, "worker": self.name}).log(message.level, message.event)
            elif self._answer is not None and not self._answer.done():
                self._answer.set_result(message)

    async def _keep_tail(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_OUTPUT_TAIL_BYTES):
            self.output_tail = (self.output_tail + chunk)[-_OUTPUT_TAIL_BYTES:]

    async def _ask(self, frames: Iterable[bytes], timeout_s: float) -> object:
        if not self.alive:
            raise WorkerDied(self.end_reason)
        self._answer = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(frames)
                return await self._answer
        except TimeoutError:
            self.end = WorkerEnd.HUNG
            self._give_up(f"no answer within {timeout_s:g} s")
            raise WorkerDied(self.end_reason) from None
        except asyncio.CancelledError:
            self._give_up("whoever asked has gone away")  # or else the next one would be given this answer
            raise

    async def _send(self, frames: Iterable[bytes]) -> None:
        writer = self._writers[0]
        with suppress(ConnectionError):  # the process is ending; whoever waits for the answer will learn why
            for frame in frames:
                writer.write(frame)
                await writer.drain()

    def _give_up(self, reason: str) -> None:
        self.end_reason = reason
        self._given_up = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._running:
            self._process.kill()

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Spares a spawned process the import of the parent's main module, which a worker has no use for.

    It would import the whole service: 1.0 s instead of 0.1 s, 150 MB instead of 30 MB in each worker (measured).
    """
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module


def _exit_text(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"
