import pytest

from asr_service.infrastructure.config.secret_urls import mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://asr:secret@db:5432/asr", "postgresql://asr:***@db:5432/asr"),
        ("postgresql+asyncpg://asr@db/asr", "postgresql+asyncpg://asr@db/asr"),
        ("redis://:secret@cache/0", "redis://:***@cache/0"),
        ("postgresql://asr:se/cr@et#1@db/asr", "postgresql://asr:***@db/asr"),
        (
            "postgresql://db/asr?user=asr&password=secret&ssl=require",
            "postgresql://db/asr?user=asr&password=***&ssl=require",
        ),
        ("https://hook.example.org/?api_key=secret", "https://hook.example.org/?api_key=***"),
        ("sqlite:////data/asr.db", "sqlite:////data/asr.db"),
        ("sqlite:////home/a@b/asr.db", "sqlite:////home/a@b/asr.db"),
        ("secret", "***"),
        ("", "***"),
    ],
)
def test_what_is_secret_in_a_url_is_masked_and_the_rest_is_kept(url: str, shown: str) -> None:
    assert mask_url(url) == shown
