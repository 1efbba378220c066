"""One pipeline for all log lines: the service's own, and those of the libraries that use ``logging``."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO, TypeAlias

import structlog
from structlog.types import Processor

from asr_service.infrastructure.logging.redaction import redact
from asr_service.shared.correlation import current_correlation

LogFormat: TypeAlias = Literal["console", "json"]

# The lowest level of libraries, whatever is asked for. At DEBUG these quote what passes through them: the rows of SQL
# statements, the frames of WebSockets, headers, bodies. At INFO some have a line for each statement or request.
_LOWEST_LEVELS: Final = {
    "aiosqlite": logging.INFO,
    "asyncio": logging.INFO,
    "httpcore": logging.INFO,
    "httpx": logging.WARNING,
    "python_multipart": logging.INFO,
    "sqlalchemy": logging.WARNING,
    "uvicorn.error": logging.INFO,
    "websockets": logging.INFO,
}

# What uvicorn, and websockets in its name, say about every WebSocket; the service has a line of its own for it. The last one
# uvicorn 0.54 writes at ERROR for each that is refused by an HTTP response, as if that were no answer.
_CONNECTION_LINES: Final = (
    '%s - "WebSocket',
    "connection open",
    "connection closed",
    "ASGI callable returned without completing handshake.",
)


def configure_logging(level: str, log_format: LogFormat, *, stream: TextIO | None = None) -> None:
    """Sends every log line through one renderer to ``stream``; may be called again, the last call counts.

    Lines carry level, logger, UTC time and the correlation in force; exceptions are structured in JSON, without the
    values of local variables. Uvicorn's lines about requests and connections are left out: the service has its own.

    Args:
        level: Name of the lowest level to show: debug, info, warning, error or critical, in any case.
        log_format: ``json`` for machines, ``console`` for people.
        stream: Standard error if not given, so that standard output stays free for results.
    """
    output = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_gathering(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_gathering(), structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(log_format, output)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    _tame_libraries(root.level)


def _gathering() -> list[Processor]:
    """What every line is given, wherever it comes from."""
    return [
        _add_correlation,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _rendering(log_format: LogFormat, output: TextIO) -> list[Processor]:
    if log_format == "json":
        exceptions = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # locals hold audio and texts
        return [
            structlog.processors.ExceptionRenderer(exceptions),
            redact,
            _arrange,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [
        structlog.processors.format_exc_info,
        redact,
        _arrange,
        structlog.dev.ConsoleRenderer(
            colors=output.isatty(),
            repr_native_str=True,  # a line break in a value must not look like another line
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _add_correlation(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**current_correlation(), **event}


def _arrange(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Puts first what every line has, and drops uvicorn's second, coloured copy of its message."""
    event.pop("color_message", None)
    return {key: event.pop(key) for key in ("timestamp", "level", "logger", "event") if key in event} | dict(event)


def _tame_libraries(level: int) -> None:
    for name in ("uvicorn", "uvicorn.error"):
        _inherit(logging.getLogger(name))
    access = logging.getLogger("uvicorn.access")
    _inherit(access)
    access.propagate = False  # uvicorn writes no access log when its logger reaches no handler
    logging.getLogger("uvicorn.error").addFilter(_is_not_about_a_connection)
    for name, lowest in _LOWEST_LEVELS.items():
        logging.getLogger(name).setLevel(max(level, lowest))


def _is_not_about_a_connection(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_CONNECTION_LINES)


def _inherit(logger: logging.Logger) -> None:
    """Takes back what uvicorn's own set-up may have installed."""
    logger.handlers = []
    logger.propagate = True
