import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from asr_service.infrastructure.logging.configuration import configure_logging
from asr_service.shared.correlation import correlated

_TOUCHED = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "aiosqlite",
    "asyncio",
    "httpcore",
    "httpx",
    "python_multipart",
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves the process' logging as it was."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    loggers = [logging.getLogger(name) for name in (*_TOUCHED, "sqlalchemy", "websockets")]
    states = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    structlog.configure(**kept)
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for logger, its_handlers, its_level, propagates in states:
        logger.handlers, logger.propagate = its_handlers, propagates
        logger.filters = []
        logger.setLevel(its_level)


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_json_line_carries_level_logger_utc_time_and_values(written: io.StringIO) -> None:
    configure_logging("info", "json", stream=written)
    structlog.get_logger("asr_service.app").info("session_ended", audio_ms=1_500, reason="completed")
    (line,) = lines(written)
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["logger"], line["event"]) == ("info", "asr_service.app", "session_ended")
    assert (line["audio_ms"], line["reason"]) == (1_500, "completed")


def test_lines_of_libraries_take_the_same_form(written: io.StringIO) -> None:
    configure_logging("info", "json", stream=written)
    logging.getLogger("alembic.runtime.migration").info("Running upgrade %s", "0001", extra={"revision": "0001"})
    (line,) = lines(written)
    assert (line["event"], line["logger"], line["revision"]) == (
        "Running upgrade 0001",
        "alembic.runtime.migration",
        "0001",
    )


def test_the_correlation_in_force_is_on_every_line(written: io.StringIO) -> None:
    configure_logging("info", "json", stream=written)
    with correlated(request_id="req_1", session_id="ses_1"):
        structlog.get_logger("a").info("ours")
        logging.getLogger("b").info("theirs")
    structlog.get_logger("a").info("outside")
    ours, theirs, outside = lines(written)
    assert ours["session_id"] == theirs["session_id"] == "ses_1"
    assert ours["request_id"] == theirs["request_id"] == "req_1"
    assert "session_id" not in outside


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_that_was_said_and_no_secret_reaches_a_line(written: io.StringIO, log_format: Any) -> None:
    configure_logging("debug", log_format, stream=written)
    said, secret = "the patient is called Ada", "hunter2"
    log = structlog.get_logger("asr_service.app")
    log.info("slip", text=said, words=[said], options={"prompt": said, "hotwords": [said]}, api_key=secret)
    log.info("connected", url=f"postgresql+asyncpg://asr:{secret}@db/asr", path=f"/ws?token={secret}")
    logging.getLogger("uvicorn.error").info("GET /ws?api_key=%s", secret)
    logging.getLogger("sqlalchemy.engine").warning("insert failed [parameters: ('%s',)]", said)
    try:
        _fail_with_locals(said, secret)
    except RuntimeError:
        log.exception("failed")
    assert written.getvalue().count("[redacted]") >= 8
    assert said not in written.getvalue()
    assert secret not in written.getvalue()


def _fail_with_locals(transcript: str, password: str) -> None:
    raise RuntimeError(f"cannot connect to redis://:{password}@cache")


def test_an_exception_is_structured_in_json(written: io.StringIO) -> None:
    configure_logging("info", "json", stream=written)
    try:
        int("odd")
    except ValueError:
        logging.getLogger("library").exception("failed")
    (line,) = lines(written)
    (failure,) = line["exception"]
    assert failure["exc_type"] == "ValueError"
    assert "'odd'" in failure["exc_value"]
    assert failure["frames"][0]["name"] == "test_an_exception_is_structured_in_json"
    assert "locals" not in failure["frames"][0]


def test_the_console_form_is_one_line_whatever_a_value_contains(written: io.StringIO) -> None:
    configure_logging("info", "console", stream=written)
    structlog.get_logger("a").info("named", name="x\n2026-01-01 [error] forged \x1b[31m", language="中文")
    assert len(written.getvalue().splitlines()) == 1
    assert "\x1b[31m" not in written.getvalue()
    assert "中文" in written.getvalue()


def test_lines_below_the_level_are_not_written(written: io.StringIO) -> None:
    configure_logging("WARNING", "json", stream=written)
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    structlog.get_logger("a").warning("loud")
    assert [line["event"] for line in lines(written)] == ["loud"]


@pytest.mark.parametrize(
    "name", ["aiosqlite", "uvicorn.error", "websockets.server", "sqlalchemy.engine.Engine", "httpx"]
)
def test_debug_does_not_open_the_libraries_that_quote_what_passes_through_them(written: io.StringIO, name: str) -> None:
    configure_logging("debug", "json", stream=written)
    logging.getLogger(name).debug("> TEXT 'the patient'")
    structlog.get_logger("asr_service.app").debug("ours")
    assert [line["event"] for line in lines(written)] == ["ours"]


def test_uvicorn_writes_through_this_pipeline_and_has_no_access_log(written: io.StringIO) -> None:
    for name in ("uvicorn", "uvicorn.access"):
        logging.getLogger(name).handlers = [logging.StreamHandler(io.StringIO())]
        logging.getLogger(name).propagate = False
    configure_logging("info", "json", stream=written)
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[1mStarted"})
    logging.getLogger("uvicorn.access").info("GET / 200")
    assert not logging.getLogger("uvicorn.access").hasHandlers()
    (line,) = lines(written)
    assert line["event"] == "Started"
    assert "color_message" not in line


def test_uvicorn_says_nothing_about_single_websockets(written: io.StringIO) -> None:
    configure_logging("info", "json", stream=written)
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", "/ws?token=abc")
    uvicorn.info("connection open")
    uvicorn.info("connection closed")
    uvicorn.error("Exception in ASGI application")
    assert [line["event"] for line in lines(written)] == ["Exception in ASGI application"]


def test_warnings_of_python_are_log_lines(written: io.StringIO) -> None:
    configure_logging("info", "json", stream=written)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old api", DeprecationWarning, stacklevel=1)
    (line,) = lines(written)
    assert line["logger"] == "py.warnings"
    assert "old api" in line["event"]


def test_the_last_call_counts(written: io.StringIO) -> None:
    first = io.StringIO()
    configure_logging("info", "json", stream=first)
    configure_logging("info", "json", stream=written)
    structlog.get_logger("a").info("once")
    assert first.getvalue() == ""
    assert len(lines(written)) == 1


def test_lines_go_to_standard_error_so_that_results_have_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    structlog.get_logger("a").info("to stderr")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "to stderr" in captured.err
