"""Places for live sessions that servers share."""

from collections.abc import Collection, Mapping
from typing import Protocol


class SessionPlaces(Protocol):
    """Counts the live sessions of each tenant over all servers; raises ``StorageUnavailable`` when it cannot be reached.

    A place is held for the time of a lease, and comes back by itself when its server does not renew it.
    """

    async def take(self, tenant: str, place_id: str, limit: int) -> bool:
        """Takes a place, if fewer than ``limit`` are taken; returns whether it did."""
        ...

    async def renew(self, places: Mapping[str, Collection[str]]) -> None:
        """Holds places for another lease, by tenant; those that ran out meanwhile are taken again, whatever the limit."""
        ...

    async def give_back(self, tenant: str, place_id: str) -> None:
        """Frees a place; harmless if it is free."""
        ...
