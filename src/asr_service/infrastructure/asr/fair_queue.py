"""Waiting requests, in an order that is fair to tenants and to their sessions."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.shared.errors import AsrError


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A request whose caller waits.

    Attributes:
        request: What is asked.
        answer: What the caller awaits; done before it is answered when the caller has gone away.
        queued_at_s: Monotonic time of its arrival.
        deaths: Workers that ended while they had it.
        alone: Whether it must be tried without company, since a batch with it has failed.
    """

    request: RecognitionRequest
    answer: asyncio.Future[Hypothesis]
    queued_at_s: float
    deaths: int = 0
    alone: bool = False

    @property
    def audio_s(self) -> float:
        return len(self.request.pcm) / (BYTES_PER_SAMPLE * SAMPLE_RATE_HZ)

    def settle(self, hypothesis: Hypothesis) -> None:
        if not self.answer.done():
            self.answer.set_result(hypothesis)

    def fail(self, error: AsrError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class FairQueue:
    """Requests in turn: tenants in rotation, within a tenant its sessions in rotation, within a session by arrival.

    Taking a request sends its session and its tenant to the end of their rotations. Unbounded; its owner bounds it.
    """

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[str, deque[PendingRequest]]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[PendingRequest]:
        """All requests in the order in which they would be taken. The queue must not change meanwhile."""
        rotation = deque(deque(iter(line) for line in lines.values()) for lines in self._tenants.values())
        while rotation:
            lines = rotation.popleft()
            while lines:
                line = lines.popleft()
                pending = next(line, None)
                if pending is not None:
                    yield pending
                    lines.append(line)
                    rotation.append(lines)
                    break

    def of_session(self, request: RecognitionRequest) -> tuple[PendingRequest, ...]:
        """What waits of the same session, by arrival."""
        lines = self._tenants.get(request.tenant)
        return tuple(lines.get(request.session_id, ())) if lines is not None else ()

    def append(self, pending: PendingRequest) -> None:
        """Adds a request behind its session's others."""
        self._line(pending).append(pending)
        self._length += 1

    def push_front(self, pending: PendingRequest) -> None:
        """Puts a request back that was taken: it is next."""
        self._line(pending).appendleft(pending)
        self._length += 1
        self._tenants[pending.request.tenant].move_to_end(pending.request.session_id, last=False)
        self._tenants.move_to_end(pending.request.tenant, last=False)

    def replace(self, old: PendingRequest, new: PendingRequest) -> None:
        """Gives the turn of a waiting request to another one of its session."""
        line = self._line(old)
        line[line.index(old)] = new

    def take(self, pending: PendingRequest) -> None:
        """Removes a request because its turn has come."""
        self._remove(pending)
        tenant, session_id = pending.request.tenant, pending.request.session_id
        if tenant in self._tenants:
            self._tenants.move_to_end(tenant)
            if session_id in self._tenants[tenant]:
                self._tenants[tenant].move_to_end(session_id)

    def discard(self, pending: PendingRequest) -> None:
        """Removes a request, if it is here; nobody's turn changes."""
        if pending in self.of_session(pending.request):
            self._remove(pending)

    def _line(self, pending: PendingRequest) -> deque[PendingRequest]:
        lines = self._tenants.setdefault(pending.request.tenant, OrderedDict())
        return lines.setdefault(pending.request.session_id, deque())

    def _remove(self, pending: PendingRequest) -> None:
        tenant, session_id = pending.request.tenant, pending.request.session_id
        lines = self._tenants[tenant]
        lines[session_id].remove(pending)
        self._length -= 1
        if not lines[session_id]:
            del lines[session_id]
        if not lines:
            del self._tenants[tenant]
