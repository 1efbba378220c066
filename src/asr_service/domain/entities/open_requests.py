"""What a session asks of the recognizer."""

from collections.abc import Callable

from asr_service.domain.ports.recognizer import RecognitionRequest


class OpenRequests:
    """Collects requests, and those that are of no use any more, until the owner takes them."""

    def __init__(self, new_request_id: Callable[[], str]) -> None:
        self.new_id = new_request_id
        self._requests: list[RecognitionRequest] = []
        self._withdrawn: list[str] = []

    def ask(self, request: RecognitionRequest) -> str:
        """Adds a request; returns its id."""
        self._requests.append(request)
        return request.request_id

    def withdraw(self, request_id: str | None) -> None:
        """Takes a request back: one that the owner has not taken yet is gone, the withdrawal of another is reported."""
        untaken = [request for request in self._requests if request.request_id != request_id]
        if request_id is not None and len(untaken) == len(self._requests):
            self._withdrawn.append(request_id)
        self._requests = untaken

    def take(self) -> list[RecognitionRequest]:
        """The requests since the last call."""
        requests, self._requests = self._requests, []
        return requests

    def take_withdrawn(self) -> list[str]:
        """The ids of taken requests that were withdrawn since the last call."""
        withdrawn, self._withdrawn = self._withdrawn, []
        return withdrawn
