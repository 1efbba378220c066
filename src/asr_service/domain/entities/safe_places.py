"""The places of a running session at which it could be taken up again."""

from asr_service.domain.value_objects.audio_metadata import samples_from_ms
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint

ADVANCE_MS = 15_000
"""In silence a client need not keep more audio than this and what the segmenter holds back: half a megabyte. Each place costs
a write to the journal, and most of the sessions of a day are silent."""


class SafePlaces:
    """Remembers where the session could be taken up, until what lies before is settled.

    Holds one place for each number of utterances that have begun: as many as there are utterances whose final has not
    left, and one.

    Args:
        first: The checkpoint that the session goes on from; ``None``: its beginning.
    """

    def __init__(self, first: SessionCheckpoint | None = None) -> None:
        self._places: dict[int, SessionCheckpoint] = {}
        # Of the last that was taken:
        self._utterances, self._position = (0, 0) if first is None else (first.utterances, first.position)

    def wants(self, utterances: int, position: int) -> bool:
        """Whether the place at a position, before which so many utterances have begun, may ever be taken."""
        return utterances > self._utterances or position >= self._position + samples_from_ms(ADVANCE_MS)

    def note(self, place: SessionCheckpoint) -> None:
        """Takes a place; it is newer than all before it. Its language need not be known yet."""
        self._places[place.utterances] = place

    def take(self, settled: int) -> SessionCheckpoint | None:
        """The newest place before which there are so many utterances, all settled; ``None`` if that is nothing new.

        Where nobody speaks a place is new when it lies ``ADVANCE_MS`` after the last one.
        """
        for utterances in [count for count in self._places if count < settled]:
            del self._places[utterances]
        place = self._places.get(settled)
        if place is None or not self.wants(place.utterances, place.position):
            return None
        self._utterances, self._position = place.utterances, place.position
        return self._places.pop(settled)
