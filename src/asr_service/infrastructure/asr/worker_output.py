"""What a worker process prints and logs: nothing of it reaches the terminal, all of it reaches the parent."""

import faulthandler
import logging
import os
import socket
from collections.abc import Callable

import structlog

from asr_service.infrastructure.asr.worker_messages import LogLine


def divert_output(output: socket.socket) -> None:
    """Sends standard output and error, of native libraries too, into the socket; fatal signals leave a trace there."""
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    faulthandler.enable()


def forward_logs(send: Callable[[LogLine], None]) -> None:
    """Hands structlog events from INFO on, and warnings of libraries that use ``logging``, to ``send``.

    ``send`` may be called from any thread.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            _StructlogForwarder(send),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_LoggingForwarder(send)], force=True)


class _StructlogForwarder:
    def __init__(self, send: Callable[[LogLine], None]) -> None:
        self._send = send

    def __call__(
        self, logger: structlog.typing.WrappedLogger, method: str, event_dict: structlog.typing.EventDict
    ) -> structlog.typing.ProcessorReturnValue:
        level = logging.getLevelNamesMapping().get(method.upper(), logging.INFO)
        event = str(event_dict.pop("event", ""))
        self._send(LogLine(level, event, {key: _plain(value) for key, value in event_dict.items()}))
        raise structlog.DropEvent


class _LoggingForwarder(logging.Handler):
    def __init__(self, send: Callable[[LogLine], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send(LogLine(record.levelno, "library_log", {"logger": record.name, "message": record.getMessage()}))


def _plain(value: object) -> str | int | float | bool | None:
    """The value as a type that every parent can unpickle."""
    return value if type(value) in (str, int, float, bool, type(None)) else repr(value)  # type: ignore[return-value]
