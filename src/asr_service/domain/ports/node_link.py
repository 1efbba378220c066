"""The way to the other servers."""

from typing import Protocol


class NodeLink(Protocol):
    """Has other servers do something with the sessions that they have."""

    async def cancel(self, session_id: str) -> bool:
        """Has whoever has a session cancel it; returns whether any other server has heard it, not whether it had the session.

        Raises:
            StorageUnavailable: What carries the message does not answer.
        """
        ...
