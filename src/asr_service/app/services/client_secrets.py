"""Short-lived secrets, with which a browser may connect without knowing its backend's key."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Generic, TypeVar

from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError

Bound = TypeVar("Bound")

SECRET_PREFIX = "ek_"  # noqa: S105 - by which a client secret is told from a key
_SECRET_BYTES = 24


class InvalidClientSecret(AsrError):
    """Nobody was given this secret here, or its time is over."""

    code = "invalid_client_secret"


class TooManyClientSecrets(AsrError):
    """As many secrets are valid as are kept."""

    code = "too_many_client_secrets"


@dataclass(frozen=True, slots=True)
class ClientSecret(Generic[Bound]):
    """A secret and what it was made for.

    Attributes:
        value: Never logged.
        bound: What holds for whoever shows it.
    """

    value: str = field(repr=False)
    expires_at: datetime
    bound: Bound


class ClientSecrets(Generic[Bound]):
    """The secrets that are valid, in the memory of this process: one made by another process is not known here.

    Bounded: when it is full of secrets that are still valid, none is made until the first of them expires. A secret can
    be shown any number of times while it is valid, since clients that lose their connection come back with it.
    """

    def __init__(self, clock: Clock, *, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._secrets: dict[str, ClientSecret[Bound]] = {}

    def issue(self, bound: Bound, lifetime_s: int) -> ClientSecret[Bound]:
        """A new secret.

        Raises:
            TooManyClientSecrets: There is no room for it.
        """
        now = self._clock.now()
        if len(self._secrets) >= self._capacity:
            self._forget(lambda secret: secret.expires_at <= now)
        if len(self._secrets) >= self._capacity:
            first = min(secret.expires_at for secret in self._secrets.values())
            raise TooManyClientSecrets(
                f"{self._capacity} client secrets are valid at the moment.",
                hint="Make them shortly before they are used, with a short life.",
                retry_after_s=ceil((first - now).total_seconds()),
            )
        secret = ClientSecret(
            SECRET_PREFIX + secrets.token_hex(_SECRET_BYTES), now + timedelta(seconds=lifetime_s), bound
        )
        self._secrets[secret.value] = secret
        return secret

    def redeem(self, value: str) -> Bound:
        """What the secret was made for.

        Raises:
            InvalidClientSecret: It is unknown, or expired.
        """
        secret = self._secrets.get(value)
        if secret is not None and secret.expires_at > self._clock.now():
            return secret.bound
        self._secrets.pop(value, None)
        raise InvalidClientSecret(
            "The client secret is not valid, or has expired.", hint="Ask your backend for a new one."
        )

    def _forget(self, is_over: Callable[[ClientSecret[Bound]], bool]) -> None:
        self._secrets = {value: secret for value, secret in self._secrets.items() if not is_over(secret)}
