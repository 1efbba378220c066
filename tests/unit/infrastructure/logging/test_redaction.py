from datetime import UTC, datetime
from pathlib import Path

import pytest

from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.logging.redaction import REDACTED, clean_string, redact
from asr_service.shared.errors import AsrError


def redacted(**values: object) -> dict[str, object]:
    return dict(redact(None, "info", dict(values)))


SENSITIVE_KEYS = (
    "text transcript words prompt hotwords stable volatile settled_text hypothesis pcm authorization Authorization "
    "api_key X-API-Key password db_password token resume_token cookie set-cookie client_secret private_key"
)


@pytest.mark.parametrize("key", SENSITIVE_KEYS.split())
def test_values_under_sensitive_keys_are_masked(key: str) -> None:
    assert redacted(**{key: "the patient is called Ada"}) == {key: REDACTED}


def test_nested_values_are_masked_too() -> None:
    line = redacted(
        request={"headers": [{"authorization": "Bearer abc"}, {"accept": "*/*"}], "options": {"prompt": "x"}}
    )
    assert line == {
        "request": {"headers": [{"authorization": REDACTED}, {"accept": "*/*"}], "options": {"prompt": REDACTED}}
    }


def test_harmless_values_stay_as_they_are() -> None:
    values = {
        "session_id": "ses_1",
        "utterance": 3,
        "ratio": 0.5,
        "ready": True,
        "code": None,
        "path": "/api/v1/stream",
    }
    assert redacted(**values) == values


def test_an_absent_secret_shows_as_absent() -> None:
    assert redacted(password=None, prompt=None) == {"password": None, "prompt": None}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgresql+asyncpg://asr:pa:ss@db:5432/asr", f"postgresql+asyncpg://asr:{REDACTED}@db:5432/asr"),
        ("redis://:hunter2@cache:6379/0", f"redis://:{REDACTED}@cache:6379/0"),
        ("/ws?token=abc&lang=zh", f"/ws?token={REDACTED}&lang=zh"),
        ("/ws?lang=zh&api_key=abc", f"/ws?lang=zh&api_key={REDACTED}"),
        ("/hook?X-Amz-Signature=abc", f"/hook?X-Amz-Signature={REDACTED}"),
        ("sent Authorization: Bearer sk-12345678", f"sent Authorization: Bearer {REDACTED}"),
        ("http://host:8000/path", "http://host:8000/path"),
        ("see mail@example.org: fine", "see mail@example.org: fine"),
    ],
)
def test_secrets_inside_of_strings_are_masked(text: str, cleaned: str) -> None:
    assert clean_string(text) == cleaned
    assert redacted(event=text) == {"event": cleaned}


def test_the_rows_in_a_database_error_are_masked_and_the_rest_is_kept() -> None:
    error = (
        "UNIQUE failed\n[SQL: INSERT INTO results]\n[parameters: ('ses_1', 'the patient', [1])]\n(Background: e/gkpj)"
    )
    assert clean_string(error) == (
        f"UNIQUE failed\n[SQL: INSERT INTO results]\n[parameters: {REDACTED}]\n(Background: e/gkpj)"
    )


def test_objects_appear_by_the_name_of_their_type_since_their_repr_may_quote_anything() -> None:
    line = redacted(outcome=Hypothesis(text="the patient"), frame=b"abc", error=ValueError("the patient"))
    assert line == {"outcome": "<Hypothesis>", "frame": "<bytes>", "error": "<ValueError>"}


def test_paths_times_and_the_services_own_errors_are_readable() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    line = redacted(path=Path("/var/lib"), at=moment, error=AsrError("cannot reach redis://u:p@h"), seen=(1, "a"))
    assert line == {
        "path": "/var/lib",
        "at": "2026-01-02T00:00:00+00:00",
        "error": f"internal_error: cannot reach redis://u:{REDACTED}@h",
        "seen": [1, "a"],
    }
