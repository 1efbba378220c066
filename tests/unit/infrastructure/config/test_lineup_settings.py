"""Lineups in the settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.lineups import routing_of

FAST = {"model": "whisper-tiny.en"}


def settings(recognizer: dict[str, Any] | None = None, **lineups: Any) -> Settings:
    return Settings(recognizer=recognizer or {}, lineups={"named": {"fast": FAST}, **lineups})  # type: ignore[arg-type]


def test_without_a_word_there_is_the_one_of_the_section_recognizer() -> None:
    wanted = Settings()
    assert wanted.recognizers() == {"default": wanted.recognizer}
    assert routing_of(wanted.lineups).lineups == {"default"}


def test_what_a_lineup_does_not_say_is_as_in_the_section_recognizer() -> None:
    recognizers = settings({"beam_size": 2, "workers": 3}).recognizers()
    assert recognizers["fast"].model == "whisper-tiny.en"
    assert (recognizers["fast"].beam_size, recognizers["fast"].workers) == (2, 3)


def test_what_is_about_the_model_itself_is_not_taken_over() -> None:
    main = {
        "model": "own",
        "model_directory": "/models/own",
        "engine": "sherpa-onnx",
        "languages": ["fr"],
        "partials_model": "small",
        "fallback_model": "other",
        "shadow_share": 0.5,
    }
    fast = settings(main).recognizers()["fast"]
    assert (fast.model_directory, fast.engine, fast.languages) == (None, "", ())
    assert (fast.partials_model, fast.fallback_model, fast.shadow_share) == ("", "", 0.0)


def test_the_server_elsewhere_is_for_the_default_only() -> None:
    wanted = Settings(
        recognizer={"remote": "main"},  # type: ignore[arg-type]
        remote={"url": "ws://127.0.0.1:10095"},  # type: ignore[arg-type]
        lineups={"named": {"fast": FAST}},  # type: ignore[arg-type]
    )
    assert {name: one.remote for name, one in wanted.recognizers().items()} == {"default": "main", "fast": "off"}


def test_every_model_is_needed_once() -> None:
    named = {"fast": FAST, "both": {"model": "whisper-base", "partials_model": "whisper-tiny.en"}}
    assert settings(named=named).catalogue_models == ["whisper-base", "whisper-tiny.en"]


def test_the_routing_is_that_of_the_settings() -> None:
    routing = routing_of(settings(default="fast", tenants={"acme": "default"}, canary="fast", canary_share=0.1).lineups)
    assert (routing.default, routing.tenants, routing.canary, routing.canary_share) == (
        "fast",
        {"acme": "default"},
        "fast",
        0.1,
    )


@pytest.mark.parametrize(
    ("lineups", "words"),
    [
        ({"named": {"fast": {}}}, "must say the model of fast"),
        ({"named": {"fast": {**FAST, "preset": "fast"}}}, "cannot have a preset for fast"),
        ({"named": {"fast": {**FAST, "remote": "main"}}}, "cannot have a remote for fast"),
        ({"named": {"fast": {**FAST, "workers": -1}}}, "fast.workers"),
        ({"named": {"fast": {**FAST, "worker": 1}}}, "fast.worker"),
        ({"default": "other"}, "names 'other', which is no lineup; there are: default, fast"),
        ({"tenants": {"acme": "other"}}, "lineups.tenants"),
        ({"warm": ["other"]}, "lineups.warm"),
        ({"pinned": ["other"]}, "lineups.pinned"),
        ({"canary": "other"}, "lineups.canary"),
        ({"canary_share": 0.5}, "canary_share is of no use without canary"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_place(lineups: dict[str, Any], words: str) -> None:
    with pytest.raises((InvalidSettings, ValidationError)) as refused:
        settings(**lineups)
    assert words in str(refused.value)


def test_they_can_be_given_as_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_LINEUPS__NAMED", '{"fast": {"model": "whisper-tiny.en"}}')
    monkeypatch.setenv("ASR_LINEUPS__TENANTS", '{"acme": "fast"}')
    monkeypatch.setenv("ASR_LINEUPS__WARM", "fast")
    wanted = load_settings().lineups
    assert wanted.names == ("default", "fast")
    assert (wanted.tenants, wanted.warm) == ({"acme": "fast"}, ("fast",))


@pytest.mark.parametrize("text", ["fast", '["fast"]', "{", '{"Fast Name": {"model": "x"}}'])
def test_a_variable_that_is_no_table_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ASR_LINEUPS__NAMED", text)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert "ASR_LINEUPS__NAMED" in str(refused.value)
