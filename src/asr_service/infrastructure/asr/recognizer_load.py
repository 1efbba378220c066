"""How loaded the workers are, what a session costs them, and how much of their time partials may have."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import PartialPolicy
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.infrastructure.asr.learned_cost import LearnedCost
from asr_service.infrastructure.asr.sliding_sum import SlidingSum
from asr_service.shared.clock import Clock

_REMEMBERED_SESSIONS = 4_096  # of those that asked last; one that is forgotten has its next request counted in full
_FULL_BATCH = 4  # under load, batches are about so large


@dataclass(frozen=True, slots=True)
class LoadModel:
    """What is assumed before anything is measured, and aimed at.

    The costs are worker seconds in batches of four, those of Whisper base int8 on one core of an AMD EPYC.

    Attributes:
        final_cost_s: For the finals of one second of speech.
        partial_cost_s: For one partial.
        first_share: A batch of n requests takes as long as ``first_share + (1 - first_share) * n`` times one alone: batches
            of 1, 2 and 4 utterances of 8.7 s took 311, 434 and 584 ms.
        final_weight: A final costs so many times as much as a partial of the same length: it is decoded from its beginning,
            and its words are aligned.
        floor_s: Shorter audio costs as much as this.
        speaking_share: Whoever goes on and on speaks for so much of the time: 0.76 in English sentences of 3–9 s with pauses of
            0.7–1 s between them.
        partials_up_to: So much of the workers' time finals and partials together shall take; beyond it, partials are
            asked for less often. Finals wait for the batches in progress, so there must be time without any.
    """

    final_cost_s: float = 0.05
    partial_cost_s: float = 0.08
    first_share: float = 0.6
    final_weight: float = 2.0
    floor_s: float = 10.0
    speaking_share: float = 0.8
    partials_up_to: float = 0.7


class _Work(Enum):
    """What the workers' time is spent on."""

    FINALS = auto()
    PARTIALS = auto()
    RECORDINGS = auto()

    @classmethod
    def of(cls, request: RecognitionRequest) -> "_Work":
        if not request.live:
            return cls.RECORDINGS
        return cls.FINALS if request.kind is RecognitionKind.FINAL else cls.PARTIALS


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch that a worker has.

    Attributes:
        begun_s: When it was given.
        shares: The part of each kind of work in it.
        counts: The requests of each kind.
        final_speech_s: Speech in the finals, without what earlier finals were about.
    """

    begun_s: float
    shares: dict[_Work, float]
    counts: dict[_Work, int]
    final_speech_s: float


class _Positions:
    """How far each session has been asked about: finals of a pause, and partials, are about the same speech again."""

    def __init__(self) -> None:
        self._ends: OrderedDict[str, int] = OrderedDict()

    def new_s(self, request: RecognitionRequest) -> float:
        """Seconds of speech in the request that no earlier one was about."""
        known = self._ends.pop(request.session_id, 0)
        self._ends[request.session_id] = max(known, request.span.end)
        if len(self._ends) > _REMEMBERED_SESSIONS:
            self._ends.popitem(last=False)
        return max(0, request.span.end - max(known, request.span.start)) / SAMPLE_RATE_HZ


class RecognizerLoad:
    """Watches the batches; everything it says is about the last few seconds, and costs next to nothing to ask.

    Load is a share of the workers' time: 0 is idle, 1 is saturated. What is *needed* is the time for the finals of live
    sessions, and for their partials if they came at the longest interval. Further partials take what is to spare, and
    so do recordings.

    Args:
        workers: How many there are.
        clock: Of the window.
        partials: The intervals of sessions that do not choose their own.
        model: See there.
    """

    def __init__(self, workers: int, clock: Clock, partials: PartialPolicy, model: LoadModel | None = None) -> None:
        self._workers = workers
        self._clock = clock
        self._partials = partials
        self._model = model or LoadModel()
        self._running: dict[str, _Batch] = {}
        self._asked = _Positions()
        self._asked_finally = _Positions()
        self._spent_s = {work: SlidingSum(clock) for work in _Work}
        self._speech_s = SlidingSum(clock)
        self._final_cost = LearnedCost(self._model.final_cost_s, trust=30.0, memory=120.0)
        self._partial_cost = LearnedCost(self._model.partial_cost_s, trust=20.0, memory=100.0)

    def resize(self, workers: int) -> None:
        """Other pools are at work from now on; what was measured is held against so many workers."""
        self._workers = workers

    # --- what is watched

    def batch_begun(self, worker: str, requests: Sequence[RecognitionRequest]) -> None:
        """A worker was given a batch."""
        weights = dict.fromkeys(_Work, 0.0)
        counts = dict.fromkeys(_Work, 0)
        for request in requests:
            weights[_Work.of(request)] += self._weight(request)
            counts[_Work.of(request)] += 1
            if request.live:
                self._speech_s.add(self._asked.new_s(request))
        total = sum(weights.values())
        shares = {work: weight / total for work, weight in weights.items()}
        finals = (request for request in requests if _Work.of(request) is _Work.FINALS)
        final_speech_s = sum(self._asked_finally.new_s(request) for request in finals)
        self._running[worker] = _Batch(self._clock.monotonic_s(), shares, counts, final_speech_s)

    def batch_ended(self, worker: str, *, answered: bool) -> None:
        """What the worker was given is done, or has failed."""
        batch = self._running.pop(worker)
        seconds = self._clock.monotonic_s() - batch.begun_s
        for work, share in batch.shares.items():
            self._spent_s[work].add(seconds * share, batch.begun_s)
        if answered:
            self._learn(batch, seconds)

    # --- what is told

    @property
    def utilization(self) -> float:
        """Share of the workers' time that is used, for whatever."""
        return sum(self._load_by(work) for work in _Work)

    @property
    def needed(self) -> float:
        """Share of the workers' time that live sessions cannot do without."""
        return self._load_by(_Work.FINALS) + min(self._load_by(_Work.PARTIALS), self._partials_load(self._longest_s))

    @property
    def of_newcomer(self) -> float:
        """Share of the workers' time that one more session needs, whose speaker goes on and on."""
        of_speech = (self.final_cost_s + self.partial_cost_s / self._longest_s) / self._workers
        return of_speech * self._model.speaking_share

    @property
    def of_partials(self) -> float:
        """How far partials have to be thinned, from 0 (not at all) to 1 (to the longest interval).

        Partials get what finals leave of ``partials_up_to``. This looks at how much is spoken, not at how many partials
        there are, so it does not swing when it is followed.
        """
        shortest_s, longest_s = self._partials.interval_at_ms(0) / 1_000, self._longest_s
        if longest_s <= shortest_s:
            return 0.0
        spare = self._model.partials_up_to - self._load_by(_Work.FINALS)
        if self._partials_load(longest_s) >= spare:
            return 1.0
        affordable_s = self._partials_load(1.0) / spare
        return max(0.0, affordable_s - shortest_s) / (longest_s - shortest_s)

    @property
    def final_cost_s(self) -> float:
        """Worker seconds for the finals of one second of speech, under load."""
        return self._final_cost.per_unit

    @property
    def partial_cost_s(self) -> float:
        """Worker seconds for one partial, under load."""
        return self._partial_cost.per_unit

    # ---

    @property
    def _longest_s(self) -> float:
        return self._partials.interval_at_ms(1) / 1_000

    def _partials_load(self, interval_s: float) -> float:
        """What partials would take at so long an interval."""
        return self._speech_s.per_second() * self.partial_cost_s / interval_s / self._workers

    def _load_by(self, work: _Work) -> float:
        spent, now_s = self._spent_s[work], self._clock.monotonic_s()
        running_s = sum(
            batch.shares[work] * (now_s - max(batch.begun_s, spent.start_s)) for batch in self._running.values()
        )
        return (spent.per_second() + running_s / (now_s - spent.start_s)) / self._workers

    def _weight(self, request: RecognitionRequest) -> float:
        audio_s = len(request.pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE_HZ)
        kind = self._model.final_weight if request.kind is RecognitionKind.FINAL else 1.0
        return max(self._model.floor_s, audio_s) * kind

    def _learn(self, batch: _Batch, seconds: float) -> None:
        """Takes the batch for one of the usual size: what finals cost in small batches tells nothing about many."""
        size, first = sum(batch.counts.values()), self._model.first_share
        per_request = (first + (1 - first) * size) / size
        usual_s = seconds * (first + (1 - first) * _FULL_BATCH) / _FULL_BATCH / per_request
        self._final_cost.learn(usual_s * batch.shares[_Work.FINALS], batch.final_speech_s)
        self._partial_cost.learn(usual_s * batch.shares[_Work.PARTIALS], batch.counts[_Work.PARTIALS])
