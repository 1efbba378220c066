"""Presets: what they set, and that whatever is written anywhere wins over them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from asr_service.infrastructure.config.asr_configs import PRESETS
from asr_service.infrastructure.config.effective import effective
from asr_service.infrastructure.config.fields import setting_fields
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.sections import RecognizerSettings
from asr_service.infrastructure.config.settings import Settings

ROOT = Path(__file__).parents[4]


def loaded(overrides: dict[str, Any] | None = None, **environ: str) -> Settings:
    return load_settings(overrides, env_file=None, environ=environ)


def test_each_preset_that_can_be_chosen_has_a_bundle_of_settings_that_exist() -> None:
    assert setting_fields()["recognizer.preset"].allowed == "one of " + ", ".join(PRESETS)
    assert {key for bundle in PRESETS.values() for key in bundle} <= set(setting_fields())


def test_the_default_preset_is_what_the_defaults_are() -> None:
    assert PRESETS[RecognizerSettings().preset] == {}
    assert loaded(ASR_RECOGNIZER__PRESET="balanced").model_dump() == Settings().model_dump()


@pytest.mark.parametrize("name", [name for name, bundle in PRESETS.items() if bundle])
def test_a_preset_changes_its_settings_and_says_so(name: str) -> None:
    shown = effective(loaded(ASR_RECOGNIZER__PRESET=name))
    defaults = effective(Settings())
    assert shown["recognizer.preset"].source == "environment"
    changed = {key: setting.value for key, setting in shown.items() if setting.value != defaults[key].value}
    assert changed == {"recognizer.preset": name, **PRESETS[name]}
    assert {shown[key].source for key in PRESETS[name]} == {f"preset {name}"}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, bundle in PRESETS.items() for key in bundle])
def test_a_setting_that_is_written_anywhere_wins_over_the_preset(name: str, key: str, tmp_path: Path) -> None:
    section, _, leaf = key.partition(".")
    default = effective(Settings())[key].value
    path = tmp_path / "asr.yaml"
    path.write_text(yaml.safe_dump({section: {leaf: default}}))
    settings = load_settings(config_file=path, env_file=None, environ={"ASR_RECOGNIZER__PRESET": name})
    assert effective(settings)[key].value == default
    assert settings.source_of(key) == str(path)


@pytest.mark.parametrize("name", ["thorough", 1, ["fast"]])
def test_a_preset_that_there_is_not_is_told(name: object) -> None:
    with pytest.raises(InvalidSettings, match=r"recognizer\.preset on the command line is .* one of fast, balanced"):
        loaded({"recognizer.preset": name})


def test_the_documentation_tells_what_each_preset_sets() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = page.partition("## Presets\n")[2].partition("\n## ")[0]
    for name, bundle in PRESETS.items():
        (row,) = [line for line in section.splitlines() if line.startswith(f"| `{name}` |")]
        assert [key for key, value in bundle.items() if f"`{key}` = {value}" not in row] == []


# --- the models that are named


def test_the_models_that_are_needed_are_each_named_once() -> None:
    def needed(**keys: Any) -> list[str]:
        return RecognizerSettings(**keys).catalogue_models

    assert needed() == ["whisper-base"]
    assert needed(partials_model="tiny", fallback_model="tiny") == ["whisper-base", "tiny"]
    assert needed(partials_model="whisper-base", fallback_model="small") == ["whisper-base", "small"]
    assert needed(model_directory="/models/own", fallback_model="small") == ["small"]


def test_a_model_of_ones_own_counts_for_partials_of_the_same_name_too() -> None:
    wanted = RecognizerSettings(model="own", model_directory=Path("/models/own"), partials_model="own")
    assert wanted.separate_partials_model is None
    assert wanted.catalogue_models == []


def test_falling_back_on_the_same_model_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"ASR_RECOGNIZER__FALLBACK_MODEL do not fit together: .*another model"):
        loaded(ASR_RECOGNIZER__FALLBACK_MODEL="whisper-base")


@pytest.mark.parametrize(
    ("compute_type", "device", "expected"),
    [
        (None, "cpu", "int8"),
        (None, "cuda", "int8_float16"),
        ("float32", "cpu", "float32"),
        ("auto", "cuda", "auto"),
    ],
)
def test_the_arithmetic_suits_the_device_unless_it_is_set(compute_type: Any, device: str, expected: str) -> None:
    assert RecognizerSettings(compute_type=compute_type).arithmetic(device) == expected
