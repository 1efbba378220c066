"""Which settings of a server elsewhere fit together, and what they leave to run here."""

from typing import Any

import pytest
from pydantic import ValidationError

from asr_service.infrastructure.config.effective import effective
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.remote_settings import RemoteSettings
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.config.settings import Settings

MAIN = {"remote": "main"}
FALLBACK = {"remote": "fallback"}


@pytest.mark.parametrize(
    ("protocol", "url"),
    [
        ("funasr", "ws://host:10095"),
        ("funasr", "wss://host/path"),
        ("openai", "http://[::1]:8000/v1"),
        ("openai", "https://host/v1"),
        ("funasr", ""),
    ],
)
def test_urls_of_either_protocol_are_accepted(protocol: Any, url: str) -> None:
    assert RemoteSettings(protocol=protocol, url=url).url == url


@pytest.mark.parametrize(
    ("protocol", "url", "complaint"),
    [
        ("funasr", "http://host", "ws:// or wss://"),
        ("funasr", "ws://", "name a host"),
        ("funasr", "host:10095", "ws:// or wss://"),
        ("openai", "wss://host", "http:// or https://"),
        ("openai", "https://user:hush@host/v1", "api_key"),
        ("openai", "https://host/v1?key=hush", "api_key"),
    ],
)
def test_other_urls_are_refused(protocol: Any, url: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as refused:
        RemoteSettings(protocol=protocol, url=url)
    assert "hush" not in refused.value.errors()[0]["msg"]


def test_a_server_that_is_to_be_used_must_have_an_address() -> None:
    with pytest.raises(InvalidSettings, match=r"remote\.url"):
        Settings(recognizer=RecognizerSettings(remote="main"))
    Settings(recognizer=RecognizerSettings(remote="main"), remote=RemoteSettings(url="ws://host"))


def test_the_key_is_shown_to_nobody() -> None:
    settings = Settings(remote=RemoteSettings(api_key="a-secret"))  # type: ignore[arg-type]
    assert "a-secret" not in repr(settings) + str(effective(settings))
    assert effective(settings)["remote.api_key"].value


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({**FALLBACK, "fallback_model": "whisper-tiny.en"}, "fallback_model must be empty"),
        ({**MAIN, "partials_model": "whisper-tiny.en"}, "needs a fallback_model"),
        ({"shadow_share": 0.5}, "shadow_share needs"),
        ({**MAIN, "shadow_share": 0.5}, "shadow_share needs"),
        ({"fallback_model": "whisper-base"}, "another model"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RecognizerSettings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {**MAIN, "fallback_model": "whisper-base", "shadow_share": 0.5},
        {**FALLBACK, "shadow_share": 0.5},
        {"fallback_model": "whisper-tiny.en", "shadow_share": 1},
    ],
)
def test_what_is_there_to_fall_back_on_can_be_a_shadow(values: dict[str, Any]) -> None:
    assert RecognizerSettings(**values).shadow_share > 0


def test_where_the_server_recognizes_only_what_it_falls_back_on_runs_here() -> None:
    assert RecognizerSettings(**MAIN).local is None
    assert RecognizerSettings(**MAIN).catalogue_models == []
    wanted = RecognizerSettings(**MAIN, fallback_model="whisper-base", partials_model="whisper-tiny.en", beam_size=3)
    assert wanted.local is not None
    assert (wanted.local.model, wanted.local.fallback_model, wanted.local.remote) == ("whisper-base", "", "off")
    assert (wanted.local.separate_partials_model, wanted.local.beam_size) == ("whisper-tiny.en", 3)
    assert wanted.catalogue_models == ["whisper-tiny.en", "whisper-base"]


@pytest.mark.parametrize("values", [{}, FALLBACK])
def test_else_everything_runs_here(values: dict[str, Any]) -> None:
    wanted = RecognizerSettings(**values)
    assert wanted.local is wanted
    assert wanted.catalogue_models == ["whisper-base"]
