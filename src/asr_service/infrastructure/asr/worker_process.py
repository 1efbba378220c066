"""The inside of a worker process: one engine, one batch at a time."""

import multiprocessing
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Sequence

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.infrastructure.asr.engine import Engine
from asr_service.infrastructure.asr.kept_memory import keep_freed_memory
from asr_service.infrastructure.asr.self_test import run_self_test
from asr_service.infrastructure.asr.worker_messages import (
    Alive,
    Batch,
    BatchAnswered,
    BatchFailed,
    Probe,
    Ready,
    StartFailed,
    encode,
    read_message,
)
from asr_service.infrastructure.asr.worker_output import divert_output, forward_logs
from asr_service.shared.errors import AsrError


def run_worker(channel: socket.socket, output: socket.socket, factory: bytes) -> None:
    """Loads the engine, reports ready, answers batches until the parent hangs up or dies.

    Ctrl-C is left to the parent, which decides what is still finished; SIGTERM ends the process at once.

    Args:
        channel: Carries messages both ways.
        output: Takes whatever is printed.
        factory: A pickled ``EngineFactory``; unpickled here, so that a failing import is reported like a missing model.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # NumPy's linear algebra would start a thread per CPU in every worker; what counts is the engine's own threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keep_freed_memory()
    divert_output(output)
    _die_with_parent()
    parent = _ParentLink(channel)
    forward_logs(parent.send)
    try:
        engine = _load(parent, factory)
        if engine is not None:
            _serve(parent, engine)
    except ConnectionError:
        return  # the parent hung up while it was being told something


class _ParentLink:
    """The worker's end of the channel; whole messages, from any thread."""

    def __init__(self, channel: socket.socket) -> None:
        channel.set_inheritable(False)
        self._channel = channel
        self._stream = channel.makefile("rb")
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        frame = encode(message)
        with self._lock:
            self._channel.sendall(frame)

    def receive(self) -> object | None:
        return read_message(self._stream)


def _die_with_parent() -> None:
    """Ends this process when the parent ends, even in the middle of a batch, when nobody reads the channel.

    The kernel's PR_SET_PDEATHSIG is no substitute: it fires when the *thread* that started this process ends.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def outlive() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=outlive, name="parent-watch", daemon=True).start()


def _load(parent: _ParentLink, factory: bytes) -> Engine | None:
    try:
        engine: Engine = pickle.loads(factory)()  # noqa: S301 - pickled by the parent
        run_self_test(engine)
        capabilities = engine.capabilities
    except Exception as error:
        parent.send(StartFailed(_describe(error), error.hint if isinstance(error, AsrError) else None))
        return None
    parent.send(Ready(capabilities))
    return engine


def _serve(parent: _ParentLink, engine: Engine) -> None:
    while (message := parent.receive()) is not None:
        match message:
            case Batch(size):
                requests = [item for _ in range(size) if isinstance(item := parent.receive(), RecognitionRequest)]
                if len(requests) < size:
                    return  # the parent hung up in the middle
                parent.send(_answer(engine, requests))
            case Probe():
                parent.send(Alive())


def _answer(engine: Engine, requests: Sequence[RecognitionRequest]) -> BatchAnswered | BatchFailed:
    begun_s = time.perf_counter()
    try:
        outcomes = tuple(engine.recognize(requests))
    except Exception as error:
        return BatchFailed(_describe(error))
    if len(outcomes) != len(requests):
        return BatchFailed(f"the engine gave {len(outcomes)} outcomes for {len(requests)} requests")
    return BatchAnswered(outcomes, time.perf_counter() - begun_s)


def _describe(error: Exception) -> str:
    return error.message if isinstance(error, AsrError) else f"{type(error).__name__}: {error}"
