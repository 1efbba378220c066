import json
from dataclasses import asdict
from pathlib import Path

from asr_service.infrastructure.config.effective import EffectiveSetting, effective
from asr_service.infrastructure.config.fields import setting_fields
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings

ENVIRON = {
    "ASR_DATABASE__URL": "postgresql://asr:hunter2@db/asr",
    "ASR_JOURNAL__URL": "redis://asr:hunter2@cache:6379/1",
    "ASR_MODELS__LOCAL_DIRECTORIES": "/models",
    "ASR_ENVIRONMENT": "staging",
}


def test_every_setting_is_shown_with_its_value_and_source() -> None:
    shown = effective(load_settings(env_file=None, environ=ENVIRON))
    assert list(shown) == list(setting_fields())
    assert shown["environment"] == EffectiveSetting("staging", "environment")
    assert shown["models.local_directories"] == EffectiveSetting(["/models"], "environment")
    assert shown["server.port"] == EffectiveSetting(8000, "default")
    assert shown["recognizer.model_directory"] == EffectiveSetting(None, "default")


def test_secrets_are_masked() -> None:
    shown = effective(load_settings(env_file=None, environ=ENVIRON))
    assert shown["database.url"].value == "postgresql://asr:***@db/asr"
    assert shown["journal.url"].value == "redis://asr:***@cache:6379/1"


def test_a_secret_that_is_not_set_is_shown_as_that() -> None:
    assert effective(Settings())["journal.url"] == EffectiveSetting("", "default")


def test_what_is_shown_can_be_written_as_json() -> None:
    shown = {key: asdict(setting) for key, setting in effective(Settings()).items()}
    assert json.loads(json.dumps(shown)) == shown
    assert Path(shown["models.cache_directory"]["value"]).is_absolute()
