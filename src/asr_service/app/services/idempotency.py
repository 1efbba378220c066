"""Answers that are given again when the same request comes again (draft-ietf-httpapi-idempotency-key-header-07)."""

from collections import OrderedDict
from dataclasses import dataclass

from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError, InvalidRequest

_IN_PROGRESS_RETRY_S = 1.0


class IdempotencyKeyInvalid(InvalidRequest):
    """The key is empty, too long, or not of visible characters."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReused(InvalidRequest):
    """The key was used for another request, whose answer would be wrong here."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(AsrError):
    """The first request with this key has no answer yet."""

    code = "idempotency_in_progress"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, and the digest of the request that it belongs to."""

    fingerprint: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def expect(self, fingerprint: str) -> None:
        """Checks that it is the same request that asks.

        Raises:
            IdempotencyKeyReused: It is another one.
        """
        if fingerprint != self.fingerprint:
            hint = "Use a new key for each new request."
            raise IdempotencyKeyReused(
                "This Idempotency-Key was used for another request.", field="Idempotency-Key", hint=hint
            )


class IdempotentAnswers:
    """Remembers answers by the caller's key, in this process, for some time.

    Bounded: when it is full the oldest answers are forgotten, and their requests would be worked on again. An answer that
    is too large by itself is not remembered.

    Args:
        clock: For the age of answers.
        ttl_s: So long an answer is remembered.
        max_answers: So many are, at most.
        max_bytes: So much do their bodies take, at most.
        max_answer_bytes: And one of them.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ttl_s: float,
        max_answers: int = 1_000,
        max_bytes: int = 32 << 20,
        max_answer_bytes: int = 4 << 20,
    ) -> None:
        self.max_answer_bytes = max_answer_bytes
        self._clock = clock
        self._ttl_s = ttl_s
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._in_progress: set[str] = set()
        self._kept: OrderedDict[str, tuple[float, KeptAnswer]] = OrderedDict()  # with when to forget it
        self._kept_bytes = 0

    def begin(self, key: str) -> KeptAnswer | None:
        """The answer that is remembered; ``None``: there is none, and the caller has to ``keep`` or ``abandon`` one.

        Raises:
            IdempotencyInProgress: The answer is still being made.
        """
        self._forget_old()
        if key in self._in_progress:
            raise IdempotencyInProgress(
                "A request with this Idempotency-Key is in progress.",
                hint="Wait for its answer, or use a new key.",
                retry_after_s=_IN_PROGRESS_RETRY_S,
            )
        if key in self._kept:
            return self._kept[key][1]
        self._in_progress.add(key)
        return None

    def keep(self, key: str, answer: KeptAnswer) -> None:
        """Remembers the answer to a request that was begun."""
        self._in_progress.discard(key)
        if len(answer.body) > self.max_answer_bytes:
            return
        self._kept[key] = (self._clock.monotonic_s() + self._ttl_s, answer)
        self._kept_bytes += len(answer.body)
        while len(self._kept) > self._max_answers or self._kept_bytes > self._max_bytes:
            self._forget_oldest()

    def abandon(self, key: str) -> None:
        """Lets a request that was begun be tried again; without effect after ``keep``."""
        self._in_progress.discard(key)

    def _forget_old(self) -> None:
        now_s = self._clock.monotonic_s()
        while self._kept and next(iter(self._kept.values()))[0] <= now_s:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, (_, answer) = self._kept.popitem(last=False)
        self._kept_bytes -= len(answer.body)
