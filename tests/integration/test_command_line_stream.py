"""``asr-service stream`` with a server on a port of this machine; behind it are fakes for ear and recognizer."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from asr_service.app.dto.native_examples import SERVER_EXAMPLES
from asr_service.bootstrap import Engines, open_decoder
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionRequest
from asr_service.infrastructure.config.settings import Settings
from asr_service.main import create_app
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivity
from tests.fixtures.app import wav
from tests.fixtures.command_line import Finished, Run
from tests.fixtures.live_sessions import silence, sound, utterances


class _Server(uvicorn.Server):
    """Tells another thread when it is there."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextmanager
def _serving(folder: Path, answer: Callable[[RecognitionRequest], Answer], **server: int) -> Iterator[str]:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )  # the command's output only
    settings = Settings(database={"url": f"sqlite:///{folder / 'server.db'}"}, server=server)
    engines = Engines(open_decoder(settings), EnergyVoiceActivity(), FakeRecognizerDirectory(FakeRecognizer(answer)))
    config = uvicorn.Config(create_app(settings, engines=engines), log_config=None, ws="websockets-sansio")
    running = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(running.serve([listener])))
        thread.start()
        try:
            assert running.up.wait(30)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


def _says_go_on(request: RecognitionRequest) -> Answer:
    return "Go on."


@pytest.fixture
def server(run: Run, tmp_path: Path) -> Iterator[str]:
    """The address of a server that hears the same in everything."""
    with _serving(tmp_path, _says_go_on) as url:
        yield url


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(wav(utterances(2)))
    return path


def _finals(finished: Finished) -> list[str]:
    return [line for line in finished.out.splitlines() if not line.startswith("…")]


def test_a_recording_is_streamed_and_its_finals_are_printed(run: Run, server: str, talk: Path) -> None:
    finished = run("stream", talk, "--fast", "--url", server)
    assert finished.exit_code == 0
    assert _finals(finished) == ["Go on.", "Go on."]


def test_partials_are_printed_as_they_come(run: Run, server: str, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(sound(1_000) + silence(700)))
    finished = run("stream", "long.wav", "--url", server)  # as fast as it was spoken
    assert "… Go on.\n" in finished.out
    assert finished.out.endswith("Go on.\n")


def test_a_long_final_stays_one_line(run: Run, tmp_path: Path, talk: Path) -> None:
    text = " ".join(["word"] * 100)
    with _serving(tmp_path, lambda request: text) as url:
        finished = run("stream", talk, "--fast", "--url", url)
    assert _finals(finished) == [text] * 2


def test_what_is_no_recording_is_an_error_and_no_silence(run: Run, server: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no recording at all" * 40)
    finished = run("stream", "notes.txt", "--url", server)
    assert finished.exit_code == 65
    assert "audio_not_decodable" in finished.err


def test_a_language_that_the_server_does_not_know_is_told(run: Run, server: str, talk: Path) -> None:
    finished = run("stream", talk, "--fast", "--url", server, "-l", "fr")
    assert finished.exit_code == 76
    assert "refused_by_server The model scripted does not know the language 'fr'." in finished.err
    assert "It knows: en, zh." in finished.err


def test_a_hole_in_the_text_is_told_after_the_rest_of_it(run: Run, tmp_path: Path, talk: Path) -> None:
    def fails_once(request: RecognitionRequest) -> Answer:
        return RecognitionFailed("The engine died twice.") if request.utterance == 0 else "Go on."

    with _serving(tmp_path, fails_once) as url:
        finished = run("stream", talk, "--fast", "--url", url)
    assert finished.exit_code == 76
    assert finished.out.endswith("Go on.\n")
    assert "No text for 0–" in finished.err
    assert "The engine died twice." in finished.err


def test_a_full_server_is_told(run: Run, tmp_path: Path, talk: Path) -> None:
    with _serving(tmp_path, _says_go_on, max_sessions=1) as url, socket.socket() as other:
        host, port = url.removeprefix("http://").split(":")
        other.connect((host, int(port)))
        other.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b"101" in other.recv(100)
        finished = run("stream", talk, "--url", url)
    assert finished.exit_code == 69
    assert f"{url} does not answer as it should: The server answered with status 503." in finished.err


def test_what_was_said_in_a_session_is_shown_to_who_follows_it(run: Run, server: str, talk: Path) -> None:
    run("stream", talk, "--fast", "--url", server)
    (session,) = httpx.get(f"{server}/api/v1/sessions").json()["items"]
    finished = run("follow", session["id"], "--url", server)
    assert (finished.exit_code, _finals(finished)) == (0, ["Go on.", "Go on."])
    finished = run("follow", "ses_none", "--url", server)
    assert finished.exit_code == 76
    assert "refused_by_server There is no such session." in finished.err


def test_no_server_is_told(run: Run, talk: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for command in (("stream", talk), ("follow", "ses_1")):
        finished = run(*command, "--url", f"ws://127.0.0.1:{port}/api/v1/stream")
        assert finished.exit_code == 69
        assert "server_unreachable" in finished.err
        assert "asr-service serve" in finished.err


@contextmanager
def _played(*connections: Callable[[ServerConnection], None]) -> Iterator[str]:
    """The address of a server that does with each connection what the test says, and then breaks it off."""
    left = list(connections)

    def serve_next(connection: ServerConnection) -> None:
        connection.recv()
        left.pop(0)(connection)
        # Not both ways: a client that still sends would lose what was said last.
        connection.socket.shutdown(socket.SHUT_WR)
        with suppress(ConnectionClosed):
            for _ in connection:
                pass

    with serve(serve_next, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()
    assert left == []


def _tell(*messages: dict[str, Any]) -> Callable[[ServerConnection], None]:
    def tell(connection: ServerConnection) -> None:
        for message in messages:
            connection.send(json.dumps(_EXAMPLES[message["type"]] | message))

    return tell


_EXAMPLES = {example["type"]: example for example in SERVER_EXAMPLES}
_NOTICE = "The connection is lost, and tried again: "


def test_a_server_that_breaks_off_before_it_has_said_anything_is_told(run: Run, talk: Path) -> None:
    with _played(_tell()) as url:
        finished = run("stream", talk, "--url", url)
    assert finished.exit_code == 69
    assert "server_unreachable" in finished.err
    assert _NOTICE not in finished.err


def test_a_stream_goes_on_when_its_connection_is_lost(run: Run, talk: Path) -> None:
    first = _tell({"type": "started"}, {"type": "final", "utterance": 0, "text": "Go"})
    second = _tell(
        {"type": "resumed", "utterances": 1, "audio_from_ms": 0},
        {"type": "final", "utterance": 1, "text": "on."},
        {"type": "ended"},
    )
    with _played(first, second) as url:
        finished = run("stream", talk, "--fast", "--url", url)
    assert (finished.exit_code, _finals(finished)) == (0, ["Go", "on."])
    assert finished.err.startswith(_NOTICE)
    assert finished.err.count("\n") == 1


def test_a_server_that_stays_away_is_given_up(run: Run, talk: Path) -> None:
    with _played(_tell({"type": "started"}, {"type": "final", "utterance": 0, "text": "Go"})) as url:
        finished = run("stream", talk, "--fast", "--give-up-after", "0", "--url", url)
    assert (finished.exit_code, _finals(finished)) == (69, ["Go"])
    assert "server_unreachable" in finished.err
    assert "could not be reached" in finished.err


def test_no_microphone_is_told(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    finished = run("stream", "--mic", "--url", server)
    assert finished.exit_code == 69
    assert "no_microphone" in finished.err
    assert "asr-service[mic]" in finished.err


class FakeSoundDevice(ModuleType):
    """The library, with a microphone into which somebody speaks before pressing Ctrl+C."""

    class PortAudioError(Exception):
        """As the library calls it."""

    class RawInputStream:
        """Gives all of its packets at once, from another thread as the library does."""

        speech = utterances(2)

        def __init__(self, *, blocksize: int, callback: Callable[..., None], **_: object) -> None:
            self._packet_bytes = 2 * blocksize
            self._callback = callback
            self._thread = threading.Thread(target=self._speak)

        def _speak(self) -> None:
            for start in range(0, len(self.speech), self._packet_bytes):
                self._callback(memoryview(self.speech)[start : start + self._packet_bytes], 0, None, None)
            os.kill(os.getpid(), signal.SIGINT)

        def __enter__(self) -> None:
            self._thread.start()

        def __exit__(self, *_: object) -> None:
            self._thread.join()


def test_what_is_said_into_the_microphone_is_printed_after_ctrl_c(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice("sounddevice"))
    finished = run("stream", "--mic", "--url", server)
    assert finished.exit_code == 0
    assert _finals(finished) == ["Go on.", "Go on."]


def test_a_microphone_that_cannot_be_opened_is_told(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(**_: object) -> None:
        raise FakeSoundDevice.PortAudioError("Device unavailable")

    library = FakeSoundDevice("sounddevice")
    monkeypatch.setattr(library, "RawInputStream", busy, raising=False)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    finished = run("stream", "--mic", "--url", server)
    assert finished.exit_code == 69
    assert "The microphone cannot be opened: Device unavailable." in finished.err


@pytest.mark.parametrize("arguments", [[], ["talk.wav", "--mic"]])
def test_it_is_either_a_recording_or_the_microphone(run: Run, arguments: list[str]) -> None:
    finished = run("stream", *arguments)
    assert finished.exit_code == 64
    assert "Give either a file or --mic." in finished.err


def test_a_missing_recording_is_told_before_the_server_is_asked(run: Run) -> None:
    finished = run("stream", "missing.wav", "--url", "http://127.0.0.1:9")
    assert finished.exit_code == 66
    assert "missing.wav cannot be read" in finished.err


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://", "http://localhost?model=base"])
def test_an_address_that_is_none_is_told(run: Run, talk: Path, url: str) -> None:
    finished = run("stream", talk, "--url", url)
    assert finished.exit_code == 64
    assert f"{url} is no address of a server." in finished.err
