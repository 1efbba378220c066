"""The native protocol, version 1: JSON text frames for messages, binary frames for audio.

Client: (``start`` | ``resume``) audio* (``configure`` | ``endpoint`` | ``ping``)* ``end``. Server: ``started`` or
``resumed``, then per utterance ``speech_started partial* speech_ended (final | failed)``, at last ``ended``; ``safe``,
``flow``, ``error`` and ``pong`` at any time. Every message of the server carries ``seq``, counted from 1.
``docs/api/native-protocol.md`` describes each field.
"""

import json
from collections.abc import Callable
from typing import Any, ClassVar

from asr_service.app.api.v1.websocket.protocols.codec import (
    AudioData,
    ChangeOptions,
    ClientMessage,
    EndInput,
    ForceEndpoint,
    Frame,
    MalformedMessage,
    Refuse,
    Reply,
    ResumeSession,
    SelectModel,
    StartSession,
    read_json,
)
from asr_service.app.api.v1.websocket.protocols.native_encoding import message_of
from asr_service.app.dto.native_messages import MAX_PING_ID_CHARACTERS, ErrorMessage, PongMessage, ServerMessage
from asr_service.app.dto.session_config import OptionsDto, ResumeDto, SessionConfigDto, parsed
from asr_service.domain.events.session_events import SessionEvent, SessionResumed
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig, SettingNotAllowed
from asr_service.shared.errors import AsrError, InvalidRequest


class OutOfTurn(InvalidRequest):
    """A message came where the protocol does not allow it, for instance audio before ``start``."""

    code = "out_of_turn"


class NativeCodec:
    """One connection of the native protocol; one session each."""

    name: ClassVar[str] = "native"
    reusable: ClassVar[bool] = False

    def __init__(self, capabilities: RecognizerCapabilities, defaults: SessionConfig) -> None:
        self._capabilities = capabilities
        self._defaults = defaults
        self._begun = False  # by start or resume
        self._options: RecognitionOptions | None = None  # known once the session takes audio
        self._ended = False
        self._audio_refused = False
        self._selected: str | None = None  # the model that was asked for, and granted
        self._unsupported: tuple[str, ...] = ()  # wishes beside those about recognition
        self._seq = 0
        self._readers: dict[str, Callable[[dict[str, Any]], list[ClientMessage]]] = {
            "start": self._start,
            "resume": self._resume,
            "configure": self._configure,
            "endpoint": self._endpoint,
            "end": self._end,
            "ping": self._ping,
        }

    def greet(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[ClientMessage]:
        try:
            return self._audio(frame) if isinstance(frame, bytes) else self._message(frame)
        except AsrError as error:
            return [Refuse(error)]

    def encode(self, event: SessionEvent) -> list[Frame]:
        if isinstance(event, SessionResumed):
            self._options = event.config.options
        message = message_of(event, self._seq + 1, self._capabilities, self._unsupported)
        return [] if message is None else [self._frame(message)]

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        message = ErrorMessage(
            type="error",
            seq=self._seq + 1,
            code=error.code,
            message=error.message,
            hint=error.hint,
            field=error.field if isinstance(error, InvalidRequest) else None,
            retry_after_s=error.retry_after_s,
            fatal=fatal,
        )
        return [self._frame(message)]

    def _frame(self, message: ServerMessage) -> str:
        self._seq += 1
        return json.dumps(message, ensure_ascii=False)

    # --- client messages

    def _audio(self, data: bytes) -> list[ClientMessage]:
        if self._options is not None and not self._ended:
            return [AudioData(data)]
        if self._audio_refused:
            return []  # said once; a client that streams on would only be flooded
        self._audio_refused = True
        where = "after end" if self._ended else "before start"
        raise OutOfTurn(
            f"Audio came {where}; it is ignored.", hint='Send {"type": "start"} first, {"type": "end"} last.'
        )

    def _message(self, text: str) -> list[ClientMessage]:
        message = read_json(text, hint='For example: {"type": "start"}.')
        kind = message.pop("type", None) if isinstance(message, dict) else None
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise MalformedMessage(
                "The message has no known type.", field="type", hint=f"Known types: {', '.join(self._readers)}."
            )
        return reader(message)

    def _start(self, message: dict[str, Any]) -> list[ClientMessage]:
        self._expect_beginning()
        wanted = parsed(SessionConfigDto, message, MalformedMessage)
        if wanted.model not in (None, self._selected):
            return [SelectModel(wanted.model, "model", lambda capabilities: self._start_with(capabilities, message))]
        try:
            config = wanted.to_domain(self._defaults, self._capabilities)
        except SettingNotAllowed as error:  # each value is allowed, but not all of them together
            raise MalformedMessage(f"{error.message}.", field=f"endpointing.{error.field}") from error
        self._begun, self._options = True, config.options
        return [StartSession(config, wanted.audio.to_domain(), resumable=wanted.resumable)]

    def _start_with(self, capabilities: RecognizerCapabilities, message: dict[str, Any]) -> list[ClientMessage]:
        """Begins with the recognizer that the message asks for."""
        self._capabilities, self._selected = capabilities, message["model"]
        try:
            return self._start(message)
        except AsrError as error:
            return [Refuse(error)]

    def _resume(self, message: dict[str, Any]) -> list[ClientMessage]:
        self._expect_beginning()
        wanted = parsed(ResumeDto, message, MalformedMessage)
        self._begun = True
        return [ResumeSession(wanted.token, wanted.finals, self._resumed_with)]

    def _resumed_with(self, capabilities: RecognizerCapabilities, substituted: bool) -> None:
        self._capabilities = capabilities
        self._unsupported = ("model",) if substituted else ()

    def _expect_beginning(self) -> None:
        if self._begun:
            raise OutOfTurn("The session has already started.", hint="Use configure to change options.")

    def _configure(self, message: dict[str, Any]) -> list[ClientMessage]:
        options = self._running("configure")
        self._options = parsed(OptionsDto, message, MalformedMessage).to_options(options, self._capabilities)
        return [ChangeOptions(self._options)]

    def _endpoint(self, _message: dict[str, Any]) -> list[ClientMessage]:
        self._running("endpoint")
        return [ForceEndpoint()]

    def _end(self, _message: dict[str, Any]) -> list[ClientMessage]:
        self._running("end")
        self._ended = True
        return [EndInput()]

    def _ping(self, message: dict[str, Any]) -> list[ClientMessage]:
        ping_id = message.get("id")
        if not isinstance(ping_id, str | int | None) or len(str(ping_id)) > MAX_PING_ID_CHARACTERS:
            raise MalformedMessage(
                f"The id is no text and no whole number of at most {MAX_PING_ID_CHARACTERS} characters.", field="id"
            )
        return [Reply((self._frame(PongMessage(type="pong", seq=self._seq + 1, id=ping_id)),))]

    def _running(self, message_type: str) -> RecognitionOptions:
        if self._options is None or self._ended:
            where, hint = ("after end", None) if self._ended else ("before start", 'Send {"type": "start"} first.')
            raise OutOfTurn(f"{message_type} came {where}.", hint=hint)
        return self._options
