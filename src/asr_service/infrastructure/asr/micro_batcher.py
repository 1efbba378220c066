"""Chooses what is recognized next, and together with what."""

import asyncio
import math
from dataclasses import dataclass
from itertools import islice

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionSuperseded, RecognizerOverloaded
from asr_service.infrastructure.asr.fair_queue import FairQueue, PendingRequest
from asr_service.shared.errors import AsrError

_RETRY_AFTER_S = 1.0  # a full queue has moved on by then
_LOOK_AHEAD = 4  # batches' worth of requests among which company is sought


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """How much may wait, and what makes a good batch.

    Attributes:
        max_waiting: Requests that may wait, of all kinds. When so many wait, a partial is refused, and a final takes
            the place of the partial that has waited longest; it is refused when all that wait are finals.
        max_waiting_per_session: Finals of one session that may wait; more are refused.
        max_batch: Requests in a batch. Whisper base on one core gains nothing above 4–8.
        max_batch_audio_s: Bound for the number of requests times the longest of them, since engines pad to the longest.
            It bounds memory in the engine, the latency of the batch, and its size on the wire. A single request may be
            longer.
        finals_apart_below: While fewer finals of live sessions wait, each is recognized alone, up to twice as many by twos,
            and so on; at 1 all that wait are recognized together.
        max_partials: Partials in a batch, since a final that comes just then has to wait for all of it.
        max_partials_beside_finals: Partials that may fill up a batch with finals. Each delays them by about 40 % of what a
            request takes alone, and where finals queue up, partials are what must go.
        context_floor_s: Requests that are shorter cost as much as this.
        max_recordings_while_live: Requests of recordings in a batch while live sessions ask: so long may a live request
            have to wait that comes just then.
        live_memory_s: Live sessions count as asking for so long after their last request.
        recording_turn_s: When live requests alone would keep the workers busy, a request of a recording is let before
            them every so many seconds.
        min_similarity: Shorter than this part of the longest in the batch is too much padding: at 0.5 it costs the
            shorter request at most what batching saves, about a factor of 2.
        min_similarity_of_recordings: The same for recordings. They can wait for company of about their own length, which is
            decoded in one call: 4–8 % less CPU time for long files than in the order in which they come (Whisper base).
    """

    max_waiting: int = 512
    max_waiting_per_session: int = 128
    max_batch: int = 8
    max_batch_audio_s: float = 240.0
    finals_apart_below: int = 1
    max_partials: int = 4
    max_partials_beside_finals: int = 0
    max_recordings_while_live: int = 2
    live_memory_s: float = 2.0
    recording_turn_s: float = 5.0
    context_floor_s: float = 10.0
    min_similarity: float = 0.5
    min_similarity_of_recordings: float = 0.8


class MicroBatcher:
    """The bounded queue in front of the workers; for one event loop.

    Finals of live sessions come before partials, and these before recordings, which take what time is left; they are not
    starved, though. Within each kind, tenants take turns, then the sessions of a tenant; finals of one session keep their
    order, but not those of recordings. Of a session only the newest partial waits, and none that a final of the same
    utterance makes useless: their callers get ``RecognitionSuperseded``.

    The request whose turn it is always goes into the next batch; only its company is chosen, among those next in turn,
    by length. ``policy.max_waiting`` says what happens when the queue is full.
    """

    def __init__(self, policy: BatchingPolicy) -> None:
        self._policy = policy
        self._finals = FairQueue()
        self._partials = FairQueue()
        self._recordings = FairQueue()
        self._last_live_s = -math.inf  # when a live request came
        self._recordings_wait_since_s = -math.inf
        self._work = asyncio.Event()
        self._firm_work = asyncio.Event()  # that is, other than partials

    @property
    def waiting(self) -> int:
        return len(self._finals) + len(self._partials) + len(self._recordings)

    @property
    def waiting_finals(self) -> int:
        """Of live sessions and of recordings."""
        return len(self._finals) + len(self._recordings)

    @property
    def waiting_partials(self) -> int:
        return len(self._partials)

    async def wait_for_work(self, *, partials: bool = True) -> None:
        """Returns when something waits; without ``partials``, something other than those."""
        await (self._work if partials else self._firm_work).wait()

    def submit(self, pending: PendingRequest) -> None:
        """Takes a request into the queue.

        Raises:
            RecognizerOverloaded: There is no room for it.
        """
        if pending.request.live:
            self._last_live_s = pending.queued_at_s
        if pending.request.kind is RecognitionKind.FINAL:
            self._submit_final(pending)
        else:
            self._submit_partial(pending)
        self._note_work()

    def withdraw(self, pending: PendingRequest) -> None:
        """Forgets a request that waits; without effect on one that does not."""
        self._queue_of(pending).discard(pending)
        self._note_work()

    def put_back(self, pending: PendingRequest) -> None:
        """Lets a request that was taken be tried once more, next and alone, even if the queue is full."""
        pending.alone = True
        if pending.request.kind is RecognitionKind.PARTIAL and self._partials.of_session(pending.request):
            pending.fail(_superseded())
        else:
            self._queue_of(pending).push_front(pending)
            self._note_work()

    def take(self, idle_workers: int = 1, now_s: float = 0.0, *, partials: bool = True) -> list[PendingRequest]:
        """The next batch for one of so many idle workers: an even share of what waits; empty when nothing does.

        Args:
            idle_workers: The one that the batch is for included.
            now_s: Monotonic time, as in ``PendingRequest.queued_at_s``.
            partials: Whether the batch may hold some.
        """
        recordings_turn = now_s - self._recordings_wait_since_s >= self._policy.recording_turn_s
        live = self._finals or (partials and self._partials)
        if self._recordings and (recordings_turn or not live):
            batch = self._recordings_batch(idle_workers, now_s)
        else:
            batch = self._live_batch(idle_workers, self._partials if partials else FairQueue())
        for pending in batch:
            self._queue_of(pending).take(pending)
        self._note_work()
        return batch

    def fail_all(self, error: AsrError) -> None:
        """Answers everything that waits with the error."""
        for queue in (self._finals, self._partials, self._recordings):
            for pending in tuple(queue):
                queue.discard(pending)
                pending.fail(error)
        self._note_work()

    def _live_batch(self, idle_workers: int, partials: FairQueue) -> list[PendingRequest]:
        finals = self._extended([], self._finals, self._finals_at_once(idle_workers))
        if finals:
            size = min(self._policy.max_batch, len(finals) + self._policy.max_partials_beside_finals)
            return self._extended(finals, partials, size)
        # One worker is kept for what comes next, if there are several; the others share the partials.
        share = self._even_share(len(partials), idle_workers - 1)
        return self._extended([], partials, min(self._policy.max_partials, share))

    def _recordings_batch(self, idle_workers: int, now_s: float) -> list[PendingRequest]:
        self._recordings_wait_since_s = now_s
        size = self._even_share(len(self._recordings), idle_workers)
        if now_s - self._last_live_s < self._policy.live_memory_s:
            size = min(size, self._policy.max_recordings_while_live)
        first, *others = islice(self._recordings, _LOOK_AHEAD * self._policy.max_batch)
        others.sort(key=lambda pending: abs(self._cost_s(pending) - self._cost_s(first)))  # stable: else in turn
        batch = [first]
        for pending in others:
            if len(batch) < size and self._fits(pending, batch, self._policy.min_similarity_of_recordings):
                batch.append(pending)
        return batch

    def _finals_at_once(self, idle_workers: int) -> int:
        share = self._even_share(len(self._finals), idle_workers)
        return min(share, 1 + len(self._finals) // self._policy.finals_apart_below)

    def _even_share(self, waiting: int, idle_workers: int) -> int:
        return min(self._policy.max_batch, -(-waiting // max(1, idle_workers)))

    def _submit_final(self, pending: PendingRequest) -> None:
        queue = self._queue_of(pending)
        if len(queue.of_session(pending.request)) >= self._policy.max_waiting_per_session:
            raise _overloaded("Too many utterances of this session wait for recognition.")
        for partial in self._partials.of_session(pending.request):
            if partial.request.utterance <= pending.request.utterance:
                self._partials.discard(partial)
                partial.fail(_superseded())
        if self._full:
            self._drop_oldest_partial()
        if queue is self._recordings and not queue:
            self._recordings_wait_since_s = pending.queued_at_s
        queue.append(pending)

    def _submit_partial(self, pending: PendingRequest) -> None:
        older = self._partials.of_session(pending.request)
        if older:
            self._partials.replace(older[0], pending)
            older[0].fail(_superseded())
        elif self._full:
            raise _overloaded("The recognition queue is full; partials are not taken.")
        else:
            self._partials.append(pending)

    def _drop_oldest_partial(self) -> None:
        if not self._partials:
            raise _overloaded("The recognition queue is full.")
        oldest = min(self._partials, key=lambda partial: partial.queued_at_s)
        self._partials.discard(oldest)
        oldest.fail(_overloaded("The recognition queue is full; the partial had to make room for a final."))

    def _extended(self, batch: list[PendingRequest], queue: FairQueue, size: int) -> list[PendingRequest]:
        """The batch and what goes with it, up to ``size``; of no session a later request without the earlier ones."""
        batch = list(batch)
        passed_over: set[tuple[str, str]] = set()
        for pending in islice(queue, _LOOK_AHEAD * self._policy.max_batch):
            if len(batch) >= size:
                break
            session = (pending.request.tenant, pending.request.session_id)
            if session not in passed_over and self._fits(pending, batch, self._policy.min_similarity):
                batch.append(pending)
            else:
                passed_over.add(session)
        return batch

    def _fits(self, pending: PendingRequest, batch: list[PendingRequest], min_similarity: float) -> bool:
        if not batch:
            return True
        if pending.alone or batch[0].alone:
            return False
        costs_s = [self._cost_s(item) for item in (*batch, pending)]
        longest_s = max(costs_s)
        return longest_s * len(costs_s) <= self._policy.max_batch_audio_s and min(costs_s) >= min_similarity * longest_s

    def _cost_s(self, pending: PendingRequest) -> float:
        """What a request costs, as seconds of audio."""
        return max(self._policy.context_floor_s, pending.audio_s)

    @property
    def _full(self) -> bool:
        return self.waiting >= self._policy.max_waiting

    def _queue_of(self, pending: PendingRequest) -> FairQueue:
        if pending.request.kind is RecognitionKind.PARTIAL:
            return self._partials
        return self._finals if pending.request.live else self._recordings

    def _note_work(self) -> None:
        for event, waiting in ((self._work, self.waiting), (self._firm_work, self.waiting_finals)):
            if waiting:
                event.set()
            else:
                event.clear()


def _superseded() -> RecognitionSuperseded:
    return RecognitionSuperseded("A newer request of the same session makes this partial useless.")


def _overloaded(message: str) -> RecognizerOverloaded:
    return RecognizerOverloaded(message, retry_after_s=_RETRY_AFTER_S)
