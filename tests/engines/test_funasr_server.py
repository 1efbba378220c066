"""The real server with tiny models of FunASR's, pinned by ``models lock``: two of them for partials and finals."""

import pytest

from asr_service.bootstrap import open_model_store
from asr_service.infrastructure.artifacts.own_catalogue import locked_entry, render
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from tests.engines import tiny_funasr
from tests.fixtures.native_client import stream
from tests.fixtures.server import StartServer
from tests.fixtures.sounds import as_pcm, babble

SILENCE = bytes(32_000)
NAMES = ("tiny-streaming", "tiny-seaco", "tiny-punc")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, service_settings: Settings) -> dict[str, str]:
    """Settings for a server that has tiny models in its cache, from a catalogue of its own."""
    shelf = tmp_path_factory.mktemp("shelf")
    chinese = tiny_funasr.CHINESE_TOKENS
    streaming = tiny_funasr.build(shelf / "tiny-streaming", tiny_funasr.PARAFORMER_STREAMING, tokens=chinese)
    seaco = tiny_funasr.build(shelf / "tiny-seaco", tiny_funasr.SEACO_PARAFORMER, tokens=chinese)
    tiny_funasr.fit_counting(streaming)
    tiny_funasr.fit_counting(seaco)
    tiny_funasr.build(shelf / "tiny-punc", tiny_funasr.CT_TRANSFORMER, tokens=chinese, seed=3, spread=3.0)
    engines = ("funasr", "funasr", None)
    entries = [locked_entry(shelf / name, name, engine=engine) for name, engine in zip(NAMES, engines, strict=True)]
    (shelf / "catalogue.toml").write_text("\n".join(map(render, entries)), encoding="utf-8")
    chosen = {
        "ASR_MODELS__CATALOGUE": str(shelf / "catalogue.toml"),
        "ASR_MODELS__CACHE_DIRECTORY": str(shelf / "cache"),
        "ASR_MODELS__LOCAL_DIRECTORIES": f"{shelf},{service_settings.models.cache_directory}",
        "ASR_MODELS__OFFLINE": "true",
        "ASR_RECOGNIZER__MODEL": "tiny-seaco",
        "ASR_RECOGNIZER__PARTIALS_MODEL": "tiny-streaming",
        "ASR_RECOGNIZER__PUNCTUATION_MODEL": "tiny-punc",
        "ASR_PARTIALS__INTERVAL_MS": "300",
        "ASR_RECOGNIZER__WORKERS": "1",
        "ASR_RECOGNIZER__PARTIALS_WORKERS": "1",
    }
    settings = load_settings(env_file=None, environ=chosen)
    for name in (*settings.recognizer.catalogue_models, settings.vad.model):
        open_model_store(settings).pull(name, lambda _progress: None)
    return chosen


def spoken() -> bytes:
    """Two utterances of 3 s, a second of silence around each."""
    return SILENCE + as_pcm(babble(3, seed=1)) + SILENCE + as_pcm(babble(3, seed=2)) + SILENCE


def plain(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


async def test_one_model_writes_partials_and_another_finals(start_server: StartServer, models: dict[str, str]) -> None:
    server = start_server(**models)
    dialogue = await stream(server.ws_url, spoken(), speed=2.0)
    finals, partials = dialogue.of("final"), dialogue.of("partial")
    assert finals
    assert partials
    assert all(final["language"] == "zh" for final in finals)
    assert any(final["text"] for final in finals)
    assert {final["timing"] for final in finals if final["text"]} == {"aligned"}
    assert all(plain("".join(word["text"] for word in final["words"])) == plain(final["text"]) for final in finals)
    assert any(plain(final["text"]) != final["text"] for final in finals)  # there is punctuation
    counted = {
        (kind, pool): server.metric("asr_recognition_requests_total", kind=kind, pool=pool)
        for kind in ("partial", "final")
        for pool in ("recognizer", "recognizer_partials")
    }
    assert counted["partial", "recognizer_partials"]
    assert counted["final", "recognizer"]
    assert not counted["partial", "recognizer"]
    assert not counted["final", "recognizer_partials"]
    again = await stream(server.ws_url, spoken())
    assert [final["text"] for final in again.of("final")] == [final["text"] for final in finals]
    server.assert_stops_cleanly()
