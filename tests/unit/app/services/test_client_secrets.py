"""Secrets for browsers: found while they are valid, bounded in number."""

import pytest

from asr_service.app.services.client_secrets import ClientSecrets, InvalidClientSecret, TooManyClientSecrets
from tests.fakes.clocks import FakeClock


def test_a_secret_brings_what_it_was_made_for_as_often_as_it_is_shown() -> None:
    secrets: ClientSecrets[str] = ClientSecrets(FakeClock())
    one, other = secrets.issue("one", 60), secrets.issue("other", 60)
    assert [secrets.redeem(secret.value) for secret in (one, other, one)] == ["one", "other", "one"]


def test_its_value_is_long_and_like_no_other() -> None:
    secrets: ClientSecrets[None] = ClientSecrets(FakeClock())
    values = {secrets.issue(None, 60).value for _ in range(100)}
    assert len(values) == 100
    assert all(value.startswith("ek_") and len(value) >= 40 for value in values)


def test_it_is_not_shown_where_it_is_printed() -> None:
    secret = ClientSecrets[None](FakeClock()).issue(None, 60)
    assert secret.value not in repr(secret)


def test_it_expires() -> None:
    clock = FakeClock()
    secrets: ClientSecrets[str] = ClientSecrets(clock)
    secret = secrets.issue("mine", 60)
    assert (secret.expires_at - clock.now()).total_seconds() == 60
    clock.advance(59)
    assert secrets.redeem(secret.value) == "mine"
    clock.advance(1)
    for _ in range(2):
        with pytest.raises(InvalidClientSecret):
            secrets.redeem(secret.value)


def test_an_unknown_one_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidClientSecret) as refused:
        ClientSecrets[None](FakeClock()).redeem("ek_guessed")
    assert "guessed" not in refused.value.message


def test_too_many_are_refused_until_the_first_expires() -> None:
    clock = FakeClock()
    secrets: ClientSecrets[int] = ClientSecrets(clock, capacity=2)
    first, second = secrets.issue(1, 30), secrets.issue(2, 60)
    clock.advance(10)
    with pytest.raises(TooManyClientSecrets) as refused:
        secrets.issue(3, 30)
    assert refused.value.retry_after_s == 20
    clock.advance(20)
    third = secrets.issue(3, 30)
    assert [secrets.redeem(secret.value) for secret in (second, third)] == [2, 3]
    with pytest.raises(InvalidClientSecret):
        secrets.redeem(first.value)
