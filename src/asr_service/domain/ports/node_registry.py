"""Which servers are alive."""

from typing import Protocol


class NodeRegistry(Protocol):
    """Knows the servers that share it, by their heartbeats; raises ``StorageUnavailable`` when it cannot be reached."""

    async def beat(self, node_id: str) -> None:
        """Says that a node is alive; that holds for the time of a lease."""
        ...

    async def leave(self, node_id: str) -> None:
        """Says that a node has stopped."""
        ...

    async def alive(self) -> frozenset[str]:
        """The nodes whose lease has not run out."""
        ...
