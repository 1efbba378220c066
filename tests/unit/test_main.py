"""The application object: nothing happens when it is made, and everything is closed when it ends."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from asr_service.app.api.v1.tcp.listener import CannotListen
from asr_service.bootstrap import Engines, build, open_decoder
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.sections import WyomingSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.main import create_app, page_folder
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivity
from tests.fixtures.wyoming_client import Event, connected

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database={"url": f"sqlite:///{tmp_path / 'asr.db'}"})  # type: ignore[arg-type]


@pytest.fixture
def engines(settings: Settings) -> Engines:
    return Engines(open_decoder(settings), EnergyVoiceActivity(), FakeRecognizerDirectory(FakeRecognizer()))


async def _get(app: FastAPI, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.example") as client:
        return await client.get(path)


async def test_making_an_application_opens_nothing(settings: Settings, engines: Engines, tmp_path: Path) -> None:
    create_app(settings, engines=engines)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a folder of this test


async def test_its_lifespan_opens_and_closes_everything(settings: Settings, engines: Engines) -> None:
    app = create_app(settings, engines=engines)
    for _ in range(2):  # it can be started again
        async with app.router.lifespan_context(app):
            assert (await _get(app, "/health/ready")).status_code == 200


async def test_wyoming_is_served_as_long_as_it_lives(settings: Settings, engines: Engines) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        wished = settings.model_copy(update={"wyoming": WyomingSettings(enabled=True, port=port)})
        app = create_app(wished, engines=engines)
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            await _until_it_ends(app)
    async with app.router.lifespan_context(app), connected(f"127.0.0.1:{port}") as client:
        await client.send("ping")
        assert await client.hear() == Event("pong", {"text": None})
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def _until_it_ends(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


async def test_services_that_somebody_else_has_built_are_used_and_left_open(
    settings: Settings, engines: Engines
) -> None:
    async with build(settings, engines=engines) as services:
        for _ in range(2):
            app = create_app(settings, services=services)
            async with app.router.lifespan_context(app):
                assert app.state.services is services
                assert (await _get(app, "/health/ready")).status_code == 200


def test_without_settings_it_reads_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASR_API_DOCS__ENABLED", "false")
    assert create_app().openapi_url is None
    monkeypatch.setenv("ASR_API_DOCS__ENABLED", "perhaps")
    with pytest.raises(InvalidSettings, match="ASR_API_DOCS__ENABLED is 'perhaps'"):
        create_app()


def test_two_applications_share_nothing(settings: Settings) -> None:
    first, second = create_app(settings), create_app(settings)
    assert first.state is not second.state
    assert first.router is not second.router


def test_the_page_is_found_beside_the_sources() -> None:
    assert (page_folder() / "index.html").is_file()
