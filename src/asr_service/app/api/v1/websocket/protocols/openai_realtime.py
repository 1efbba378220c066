"""OpenAI's Realtime interface, for transcription: JSON text frames in both directions, audio as base64 inside of them.

``session.created`` comes first; ``session.update`` changes what it names; ``input_audio_buffer.append`` brings audio.
With turn detection the server finds the utterances, without it the client ends each by ``input_audio_buffer.commit``.
There is no message for the end of input: the client closes the connection. Clients of the beta are answered in its
shapes. Many clients take every ``error`` for the end, so none is sent for what does no harm.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from asr_service.app.api.v1.websocket.protocols.codec import (
    MAX_AUDIO_JSON_CHARACTERS,
    AudioData,
    ChangeEndpointing,
    ChangeOptions,
    ClientMessage,
    DiscardAudio,
    ForceEndpoint,
    Frame,
    MalformedMessage,
    Refuse,
    Reply,
    SelectModel,
    StartSession,
    read_json,
)
from asr_service.app.api.v1.websocket.protocols.openai_realtime_config import RealtimeConfig
from asr_service.app.api.v1.websocket.protocols.openai_realtime_conversation import MIN_COMMIT_MS, Conversation
from asr_service.app.api.v1.websocket.protocols.openai_realtime_updates import SessionUpdates
from asr_service.app.dto.model_names import converses
from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.shared.errors import AsrError, InvalidRequest

_MAX_EVENT_ID_CHARACTERS = 512  # as in OpenAI's specification


class EmptyCommit(InvalidRequest):
    """Less audio was committed than the 100 ms that an item needs."""

    code = "input_audio_buffer_commit_empty"


class UnsupportedEvent(InvalidRequest):
    """The event asks for something other than transcription, or nobody knows it."""

    code = "unsupported_event"


class FormatFixed(InvalidRequest):
    """The format of audio was changed after the first audio."""

    code = "audio_format_fixed"


class ModelFixed(InvalidRequest):
    """Another model was asked for after the first audio."""

    code = "model_fixed"


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a client before its first message.

    Attributes:
        session_id: For example ``sess_01jq…``.
        beta: Whether it asked for the shapes of the beta.
        for_transcription: Whether it said that its intent is transcription, by which the beta names its first event.
        model: That of the connection's address, if any.
        config: What its client secret was made for; ``None``: it has none.
    """

    session_id: str
    beta: bool = False
    for_transcription: bool = False
    model: str | None = None
    config: RealtimeConfig | None = None


class OpenAiRealtimeCodec:
    """One connection, and one session on it from the first audio on."""

    name: ClassVar[str] = "openai_realtime"
    reusable: ClassVar[bool] = False

    def __init__(self, capabilities: RecognizerCapabilities, defaults: SessionConfig, *, opening: Opening) -> None:
        self._defaults = defaults
        self._opening = opening
        selected = opening.model if opening.config is None else opening.config.model
        self._updates = SessionUpdates(capabilities, defaults, selected)
        self._config = opening.config or self._updates.initial()
        if opening.model and opening.config is None and not converses(opening.model):
            self._config = self._updates.apply(self._config, {"audio": _transcribing(opening.model)})
        self._beta = opening.beta
        self._started = False
        self._buffered_bytes = 0  # since the last commit of the client
        self._conversation = Conversation(opening.session_id.partition("_")[2])
        self._event_number = 0
        self._client_event_id: str | None = None  # of the event that is being answered
        self._readers: dict[str, Callable[[dict[str, Any]], list[ClientMessage]]] = {
            "session.update": self._session_update,
            "transcription_session.update": self._transcription_session_update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.delete": self._delete,
        }

    def greet(self) -> list[Frame]:
        kind = "transcription_session" if self._beta and self._opening.for_transcription else "session"
        return [self._frame(f"{kind}.created", session=self._session())]

    def decode(self, frame: Frame) -> list[ClientMessage]:
        if isinstance(frame, bytes):
            return []  # the protocol has none
        self._client_event_id = None
        try:
            return self._message(read_json(frame, max_characters=MAX_AUDIO_JSON_CHARACTERS))
        except AsrError as error:
            return [Refuse(error)]

    def encode(self, event: SessionEvent) -> list[Frame]:
        return [frame for kind, fields in self._conversation.told(event) for frame in self._told(kind, fields)]

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        invalid = isinstance(error, InvalidRequest)
        body = {
            "type": "invalid_request_error" if invalid else "server_error",
            "code": error.code,
            "message": error.explanation,
            "param": error.field if isinstance(error, InvalidRequest) else None,
            "event_id": None if fatal else self._client_event_id,
        }
        return [self._frame("error", error=body)]

    # --- from the client

    def _message(self, message: object) -> list[ClientMessage]:
        if not isinstance(message, dict):
            raise MalformedMessage("The event is no JSON object.")
        event_id = message.get("event_id")
        if isinstance(event_id, str) and len(event_id) <= _MAX_EVENT_ID_CHARACTERS:
            self._client_event_id = event_id
        kind = message.get("type")
        if not isinstance(kind, str):
            raise MalformedMessage("The event has no type.", field="type")
        reader = self._readers.get(kind)
        if reader is None:
            raise UnsupportedEvent(
                f"The event {kind[:80]!r} is not supported: this server only transcribes.",
                field="type",
                hint=f"Supported are: {', '.join(self._readers)}.",
            )
        return reader(message)

    def _session_update(self, message: dict[str, Any]) -> list[ClientMessage]:
        return self._update(message, "session.updated")

    def _transcription_session_update(self, message: dict[str, Any]) -> list[ClientMessage]:
        self._beta = True  # nobody else says it
        return self._update(message, "transcription_session.updated")

    def _update(self, message: dict[str, Any], answer: str) -> list[ClientMessage]:
        before, session = self._config, message.get("session")
        try:
            if (other := self._updates.other_model(session)) is not None:
                return self._select(*other, message, answer)
            config = self._updates.apply(before, session)
            if self._started and config.audio_format != before.audio_format:
                fixed = "The format of audio cannot change after the first audio."
                raise FormatFixed(fixed, field="audio.input.format")
        except InvalidRequest as error:
            error.field = "session" if error.field is None else f"session.{error.field}"
            raise
        self._config = config
        changes: list[ClientMessage] = []
        if self._started and config.options != before.options:
            changes.append(ChangeOptions(config.options))
        if self._started and config.turn_detection != before.turn_detection:
            changes.append(ChangeEndpointing(config.endpointing(self._defaults.endpointing)))
        return [Reply((self._frame(answer, session=self._session()),)), *changes]

    def _select(self, name: str, field: str, message: dict[str, Any], answer: str) -> list[ClientMessage]:
        """Asks for another recognizer first, by whose capabilities the rest of the event is understood."""
        if self._started:
            raise ModelFixed("The model cannot change after the first audio.", field=field)

        def go_on(capabilities: RecognizerCapabilities) -> list[ClientMessage]:
            self._updates = SessionUpdates(capabilities, self._defaults, selected=name)
            try:
                return self._update(message, answer)
            except AsrError as error:
                return [Refuse(error)]

        return [SelectModel(name, f"session.{field}", go_on)]

    def _append(self, message: dict[str, Any]) -> list[ClientMessage]:
        text = message.get("audio")
        try:
            data = base64.b64decode(text if isinstance(text, str) else "no", validate=True)
        except ValueError as error:
            raise MalformedMessage("The audio is no base64 text.", field="audio") from error
        if not data:
            return []
        self._buffered_bytes += len(data)
        return [*self._begin(), AudioData(data)]

    def _begin(self) -> list[ClientMessage]:
        if self._started:
            return []
        self._started = True
        return [StartSession(self._config.session_config(self._defaults), self._config.audio_format)]

    def _commit(self, _message: dict[str, Any]) -> list[ClientMessage]:
        buffered_ms = 1_000 * self._buffered_bytes / self._config.bytes_per_s
        if buffered_ms >= MIN_COMMIT_MS:
            self._buffered_bytes = 0
            return [ForceEndpoint()]
        if self._config.turn_detection is not None:
            return []  # the server commits by itself, and has perhaps done so a moment ago
        raise EmptyCommit(
            f"Error committing input audio buffer: buffer too small. Expected at least {MIN_COMMIT_MS}ms of audio,"
            f" but buffer only has {buffered_ms:.2f}ms of audio."
        )

    def _clear(self, _message: dict[str, Any]) -> list[ClientMessage]:
        self._buffered_bytes = 0
        return [DiscardAudio()] if self._started else [Reply((self._frame("input_audio_buffer.cleared"),))]

    def _delete(self, message: dict[str, Any]) -> list[ClientMessage]:
        """Agents tidy up what they have read; no item is kept here anyway."""
        item_id = message.get("item_id")
        if not isinstance(item_id, str) or len(item_id) > _MAX_EVENT_ID_CHARACTERS:
            raise MalformedMessage("The event names no item.", field="item_id")
        return [Reply((self._frame("conversation.item.deleted", item_id=item_id),))]

    # --- to the client

    def _told(self, kind: str, fields: dict[str, Any]) -> list[Frame]:
        if self._beta and kind == "conversation.item.done":
            return []
        if self._beta and kind == "conversation.item.added":
            kind = "conversation.item.created"
        return [self._frame(kind, **fields)]

    def _session(self) -> dict[str, Any]:
        session_id = self._opening.session_id
        return self._config.to_beta_json(session_id) if self._beta else self._config.to_json(session_id)

    def _frame(self, kind: str, **fields: Any) -> str:
        self._event_number += 1
        event_id = f"event_{self._event_number}"
        return json.dumps({"type": kind, "event_id": event_id, **fields}, ensure_ascii=False)


def _transcribing(model: str) -> dict[str, Any]:
    return {"input": {"transcription": {"model": model}}}
