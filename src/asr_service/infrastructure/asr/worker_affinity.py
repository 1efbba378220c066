"""Which worker should go on with an utterance that a streaming engine has begun."""

from collections import Counter, OrderedDict
from collections.abc import Sequence

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest


class WorkerAffinity:
    """Remembers which worker had the utterance of a session last, and so may have its decoder stream.

    A preference only: another worker comes to the same text, from the start of the utterance.

    Args:
        max_sessions: Most sessions that are remembered; those that asked least recently are forgotten.
    """

    def __init__(self, max_sessions: int = 4_096) -> None:
        self._max_sessions = max_sessions
        self._worker_of: OrderedDict[tuple[str, str], str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._worker_of)

    def preferred(self, batch: Sequence[RecognitionRequest]) -> str | None:
        """The worker that had most of the requests' sessions; ``None``: no worker had any."""
        votes = Counter(worker for request in batch if (worker := self._worker_of.get(_session(request))) is not None)
        return votes.most_common(1)[0][0] if votes else None

    def note(self, worker: str, batch: Sequence[RecognitionRequest]) -> None:
        """The worker is given the batch. A final ends its utterance, so the next one may begin anywhere."""
        for request in batch:
            self._worker_of.pop(_session(request), None)
            if request.kind is RecognitionKind.PARTIAL:
                self._worker_of[_session(request)] = worker
        while len(self._worker_of) > self._max_sessions:
            self._worker_of.popitem(last=False)


def _session(request: RecognitionRequest) -> tuple[str, str]:
    return request.tenant, request.session_id
