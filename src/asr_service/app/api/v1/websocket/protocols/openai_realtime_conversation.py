"""What a client of OpenAI's Realtime interface is told of its audio: items of a conversation, and their transcripts.

With turn detection every utterance is an item. Without it the client says where items end, and an item has as many
utterances as its audio has by the greatest length of one: often one, none if nobody spoke.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    AudioDiscarded,
    EndpointForced,
    EndpointingChanged,
    SessionEvent,
    SessionStarted,
)
from asr_service.domain.value_objects.audio_metadata import ms_from_samples, s_from_samples, samples_from_ms
from asr_service.domain.value_objects.transcript import join_texts

MIN_COMMIT_MS = 100  # less audio cannot be committed
_TRANSCRIPTION = "conversation.item.input_audio_transcription"

ServerMessage: TypeAlias = tuple[str, dict[str, Any]]
"""The type of an event that is sent, and its fields."""


@dataclass(slots=True)
class _Item:
    """A stretch of audio that is, or will be, committed.

    Attributes:
        owed: Its utterances that have no outcome yet, in order.
        samples: Its length; known when it is committed.
        transcript: The texts of its finals.
        told: All that its deltas have said.
        told_of_utterance: The same of the first utterance that is owed.
        failure: Why a part of it has no text.
    """

    item_id: str
    owed: list[int] = field(default_factory=list)
    committed: bool = False
    samples: int = 0
    transcript: str = ""
    told: str = ""
    told_of_utterance: str = ""
    languages: list[str] = field(default_factory=list)
    failure: UtteranceFailed | None = None


class Conversation:
    """The items of one connection. It holds those whose transcript is not complete; they complete in their order.

    Args:
        connection_id: Makes the ids of items unique beyond the connection.
    """

    def __init__(self, connection_id: str) -> None:
        self._connection_id = connection_id
        self._on_demand = False  # whether turn detection is off, in the audio that events tell of
        self._items = 0
        self._filling: _Item | None = None  # not committed yet
        self._committed: deque[_Item] = deque()  # not complete yet
        self._item_of: dict[int, _Item] = {}  # by utterances that are owed
        self._last_id: str | None = None  # of the item that was committed last
        self._committed_samples = 0  # where the last item ended

    def told(self, event: SessionEvent) -> list[ServerMessage]:
        """What the client is to be told of an event."""
        match event:
            case SpeechStarted(utterance=utterance, start=start):
                return self._speech_started(utterance, start)
            case PartialRecognized(utterance=utterance, stable=stable):
                return self._delta(utterance, stable)
            case SpeechEnded():
                return self._speech_ended(event)
            case UtteranceFinalized():
                return self._final(event)
            case UtteranceFailed():
                return self._failed(event)
            case EndpointForced():
                return self._forced(event)
            case AudioDiscarded(position=position):
                return self._discarded(position)
            case SessionStarted(config=config):
                self._on_demand = config.endpointing.on_demand
            case EndpointingChanged(endpointing=endpointing):
                self._on_demand = endpointing.on_demand
        return []

    # --- where items begin and end

    def _speech_started(self, utterance: int, start: int) -> list[ServerMessage]:
        item = self._filling = self._filling or self._new_item()
        item.owed.append(utterance)
        self._item_of[utterance] = item
        if self._on_demand:
            return []
        where = {"audio_start_ms": ms_from_samples(start), "item_id": item.item_id}
        return [("input_audio_buffer.speech_started", where)]

    def _speech_ended(self, event: SpeechEnded) -> list[ServerMessage]:
        item = self._item_of.get(event.utterance)
        if item is None or item.committed or self._on_demand:
            return []
        where = {"audio_end_ms": ms_from_samples(event.span.end), "item_id": item.item_id}
        return [("input_audio_buffer.speech_stopped", where), *self._commit(item, event.span.end, len(event.span))]

    def _forced(self, event: EndpointForced) -> list[ServerMessage]:
        """The client has committed; with turn detection that counts if an item is open, or if there is audio without one."""
        samples = event.position - self._committed_samples
        nothing_new = event.utterance is not None or samples < samples_from_ms(MIN_COMMIT_MS)
        if self._filling is None and not self._on_demand and nothing_new:
            return []  # the endpoint has told of its item; or there is nothing to tell of, which is no fault
        return self._commit(self._filling or self._new_item(), event.position, samples)

    def _commit(self, item: _Item, end: int, samples: int) -> list[ServerMessage]:
        self._filling = None
        item.committed, item.samples, self._committed_samples = True, samples, end
        self._committed.append(item)
        before, self._last_id = self._last_id, item.item_id
        added = {"previous_item_id": before, "item": _item_json(item.item_id)}
        return [
            ("input_audio_buffer.committed", {"previous_item_id": before, "item_id": item.item_id}),
            ("conversation.item.added", added),
            ("conversation.item.done", added),
            *self._completed(),
        ]

    def _discarded(self, position: int) -> list[ServerMessage]:
        if self._filling is not None:
            for utterance in self._filling.owed:
                del self._item_of[utterance]
        self._filling, self._committed_samples = None, position
        return [("input_audio_buffer.cleared", {})]

    def _new_item(self) -> _Item:
        self._items += 1
        return _Item(f"item_{self._connection_id}_{self._items}")

    # --- what was said in them

    def _delta(self, utterance: int, text: str) -> list[ServerMessage]:
        """What is new in a text that will not change any more; none while an utterance before it may get more text."""
        item = self._item_of.get(utterance)
        if item is None or item.owed[0] != utterance or not text.startswith(item.told_of_utterance):
            return []
        new = text[len(item.told_of_utterance) :]
        if not new:
            return []
        if not item.told_of_utterance:
            new = join_texts((item.told, new))[len(item.told) :]
        item.told_of_utterance, item.told = text, item.told + new
        return [(f"{_TRANSCRIPTION}.delta", {"item_id": item.item_id, "content_index": 0, "delta": new})]

    def _final(self, event: UtteranceFinalized) -> list[ServerMessage]:
        item = self._item_of.get(event.utterance)
        if item is None:
            return []  # of audio that was taken back
        messages = self._delta(event.utterance, event.hypothesis.text)
        item.transcript = join_texts((item.transcript, event.hypothesis.text))
        language = event.hypothesis.language
        if event.hypothesis.text and language is not None and language not in item.languages:
            item.languages.append(language)
        return messages + self._settled(item, event.utterance)

    def _failed(self, event: UtteranceFailed) -> list[ServerMessage]:
        item = self._item_of.get(event.utterance)
        if item is None:
            return []
        item.failure = event
        return self._settled(item, event.utterance)

    def _settled(self, item: _Item, utterance: int) -> list[ServerMessage]:
        del self._item_of[utterance]
        item.owed.remove(utterance)
        item.told_of_utterance = ""
        return self._completed()

    def _completed(self) -> list[ServerMessage]:
        """The ends of the items at the head of the line of which nothing is owed: silence does not overtake speech."""
        messages = []
        while self._committed and not self._committed[0].owed:
            messages.append(_outcome(self._committed.popleft()))
        return messages


def _outcome(item: _Item) -> ServerMessage:
    where = {"item_id": item.item_id, "content_index": 0}
    if item.failure is not None:
        error = {"type": "transcription_error", "code": item.failure.code, "message": item.failure.message}
        return f"{_TRANSCRIPTION}.failed", {**where, "error": {**error, "param": None}}
    usage = {"type": "duration", "seconds": s_from_samples(item.samples)}
    languages = [{"code": code} for code in item.languages]
    return f"{_TRANSCRIPTION}.completed", {
        **where,
        "transcript": item.transcript,
        "usage": usage,
        "languages": languages,
    }


def _item_json(item_id: str) -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "message",
        "object": "realtime.item",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
