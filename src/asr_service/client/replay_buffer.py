"""What has to be sent, and perhaps sent again."""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

Item: TypeAlias = bytes | str
"""A packet of audio, or a message of the protocol that has its place between packets."""


@dataclass(frozen=True, slots=True)
class _Kept:
    position: int  # bytes of audio before it
    item: Item

    @property
    def end(self) -> int:
        return self.position + (len(self.item) if isinstance(self.item, bytes) else 0)


class ReplayBuffer:
    """Keeps what was given until the server calls the audio before it safe.

    Holds at most ``max_bytes`` of audio that was sent before; beyond, the oldest is forgotten, and ``rewind`` fails if it
    is asked for.
    """

    def __init__(self, bytes_per_ms: Fraction, max_bytes: int) -> None:
        self._bytes_per_ms = bytes_per_ms
        self._max_bytes = max_bytes
        self._items: deque[_Kept] = deque()
        self._end = 0  # bytes of audio given so far
        self._sent = 0  # items at the head that were handed out
        self._skip_bytes = 0  # of the item that is next

    @property
    def unsent(self) -> int:
        """Items that ``take`` has not handed out yet, or has to hand out again."""
        return len(self._items) - self._sent

    @property
    def begins_at(self) -> int:
        """Bytes of audio before what is kept."""
        return self._items[0].position if self._items else self._end

    def append(self, item: Item) -> None:
        self._items.append(_Kept(self._end, item))
        self._end = self._items[-1].end
        while self._sent and self._end - self.begins_at > self._max_bytes:
            self._forget_first()

    def take(self) -> Item | None:
        """The next item to send; ``None``: there is none yet."""
        if not self.unsent:
            return None
        item = self._items[self._sent].item
        if self._skip_bytes and isinstance(item, bytes):
            item = item[self._skip_bytes :]
        self._skip_bytes = 0
        self._sent += 1
        return item

    def forget_before(self, ms: int) -> None:
        """Frees the audio before a position that the server called safe, and what was said before it."""
        position = self._bytes_at(ms)
        while self._sent and self._items[0].end <= position and self._items[0].position < position:
            self._forget_first()

    def rewind(self, ms: int) -> bool:
        """Goes back to a position, so that ``take`` begins there; whether all from there on is kept."""
        position = self._bytes_at(ms)
        if position < self.begins_at or position > self._end:
            return False
        self._sent = next((n for n, kept in enumerate(self._items) if kept.end > position), len(self._items))
        while self._sent and self._items[self._sent - 1].position >= position:
            self._sent -= 1  # a message at this very place comes again too
        at = self._items[self._sent].position if self.unsent else position
        self._skip_bytes = max(0, position - at)
        return True

    def _forget_first(self) -> None:
        self._items.popleft()
        self._sent -= 1

    def _bytes_at(self, ms: int) -> int:
        return int(ms * self._bytes_per_ms)
