"""The native protocol, version 1: JSON text frames for messages, binary frames for audio.

Client: (``start`` | ``resume``) audio* (``configure`` | ``endpoint`` | ``ping``)* ``end``. Server: ``started`` or
``resumed``, then per utterance ``speech_started partial* speech_ended (final | failed)``, at last ``ended``; ``safe``,
``error`` and ``pong`` at any time. Every message of the server carries ``seq``, counted from 1.
``docs/api/native-protocol.md`` describes each field.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
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
    StartSession,
    read_json,
)
from asr_service.app.dto.session_config import OptionsDto, ResumeDto, SessionConfigDto, parsed
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    AudioSafe,
    HandoverAnnounced,
    ResumeOffer,
    SessionEnded,
    SessionEvent,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.services.replay import audio_from_ms
from asr_service.domain.value_objects.asr_config import Numbers, RecognitionOptions, SessionConfig, SettingNotAllowed
from asr_service.domain.value_objects.audio_metadata import SampleSpan, ms_from_samples
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.shared.errors import AsrError, InvalidRequest

PROTOCOL_VERSION = 1
_MAX_PING_ID_CHARACTERS = 64


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
        match event:
            case SessionStarted():
                message = self._frame("started", **self._started(event))
            case SessionResumed():
                self._options = event.config.options
                message = self._frame("resumed", **self._started(event), **_place(event))
            case AudioSafe():
                message = self._frame("safe", utterances=event.utterances, audio_ms=audio_from_ms(event.replay_from))
            case HandoverAnnounced():
                message = self._frame("going_away", deadline_s=event.deadline_s, resumable=event.resumable)
            case SpeechStarted():
                message = self._frame(
                    "speech_started", utterance=event.utterance, start_ms=ms_from_samples(event.start)
                )
            case PartialRecognized():
                message = self._frame("partial", **_partial(event))
            case SpeechEnded():
                message = self._frame(
                    "speech_ended", utterance=event.utterance, **_times(event.span), forced=event.forced
                )
            case UtteranceFinalized():
                message = self._frame("final", **_final(event))
            case UtteranceFailed():
                message = self._frame("failed", **_failed(event))
            case SessionEnded() if event.reason is not EndReason.DISCONNECTED:
                # Else nobody is there, or the client has been told why it is put out.
                message = self._frame("ended", **_ended(event))
            case _:
                return []
        return [message]

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        return [
            self._frame(
                "error",
                code=error.code,
                message=error.message,
                hint=error.hint,
                field=error.field if isinstance(error, InvalidRequest) else None,
                retry_after_s=error.retry_after_s,
                fatal=fatal,
            )
        ]

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
        try:
            config = wanted.to_domain(self._defaults, self._capabilities)
        except SettingNotAllowed as error:  # each value is allowed, but not all of them together
            raise MalformedMessage(f"{error.message}.", field=f"endpointing.{error.field}") from error
        self._begun, self._options = True, config.options
        return [StartSession(config, wanted.audio.to_domain(), resumable=wanted.resumable)]

    def _resume(self, message: dict[str, Any]) -> list[ClientMessage]:
        self._expect_beginning()
        wanted = parsed(ResumeDto, message, MalformedMessage)
        self._begun = True
        return [ResumeSession(wanted.token, wanted.finals)]

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
        if not isinstance(ping_id, str | int | None) or len(str(ping_id)) > _MAX_PING_ID_CHARACTERS:
            raise MalformedMessage(
                f"The id is no text and no whole number of at most {_MAX_PING_ID_CHARACTERS} characters.", field="id"
            )
        return [Reply((self._frame("pong", id=ping_id),))]

    def _running(self, message_type: str) -> RecognitionOptions:
        if self._options is None or self._ended:
            where, hint = ("after end", None) if self._ended else ("before start", 'Send {"type": "start"} first.')
            raise OutOfTurn(f"{message_type} came {where}.", hint=hint)
        return self._options

    # --- server messages

    def _frame(self, kind: str, **fields: Any) -> str:
        self._seq += 1
        return json.dumps({"type": kind, "seq": self._seq, **fields}, ensure_ascii=False)

    def _started(self, event: SessionStarted | SessionResumed) -> dict[str, Any]:
        capabilities, options = self._capabilities, event.config.options
        return {
            "protocol": PROTOCOL_VERSION,
            "session_id": event.session_id,
            "engine": capabilities.engine,
            "model": capabilities.model,
            "capabilities": {
                "languages": sorted(capabilities.languages),
                "word_times": capabilities.word_times,
                "hotwords": capabilities.hotwords,
                "prompt": capabilities.prompt,
                "spoken_numbers": capabilities.spoken_numbers,
            },
            "unsupported": _unsupported(options, capabilities),
            "config": {
                "language": options.language,
                "script": options.script,
                "numbers": options.numbers,
                "word_times": options.word_times,
                "hotwords": len(options.hotwords),
                "endpointing": asdict(event.config.endpointing),
                "partials": asdict(event.config.partials),
                "store": event.config.stored,
            },
            "resume": _offer(event.resume),
        }


def _unsupported(options: RecognitionOptions, capabilities: RecognizerCapabilities) -> list[str]:
    """The options that were asked for and that the engine cannot fulfil, by name."""
    wishes = {
        "hotwords": (bool(options.hotwords), capabilities.hotwords),
        "prompt": (bool(options.prompt), capabilities.prompt),
        "word_times": (options.word_times, capabilities.word_times),
        "numbers": (options.numbers is Numbers.SPOKEN, capabilities.spoken_numbers),
    }
    return [wish for wish, (wanted, can) in wishes.items() if wanted and not can]


def _offer(offer: ResumeOffer | None) -> dict[str, Any] | None:
    return None if offer is None else {"token": offer.token, "expires_s": offer.expires_s}


def _place(event: SessionResumed) -> dict[str, int]:
    return {"utterances": event.utterances, "audio_from_ms": audio_from_ms(event.replay_from)}


def _times(span: SampleSpan) -> dict[str, int]:
    return {"start_ms": ms_from_samples(span.start), "end_ms": ms_from_samples(span.end)}


def _partial(event: PartialRecognized) -> dict[str, Any]:
    return {
        "utterance": event.utterance,
        "revision": event.revision,
        **_times(event.span),
        "text": event.stable + event.volatile,
        "stable": event.stable,
        "volatile": event.volatile,
        "language": event.language,
    }


def _final(event: UtteranceFinalized) -> dict[str, Any]:
    hypothesis = event.hypothesis
    return {
        "utterance": event.utterance,
        **_times(event.span),
        "text": hypothesis.text,
        "language": hypothesis.language,
        "language_confidence": hypothesis.language_confidence,
        "timing": hypothesis.timing,
        "words": [_word(word) for word in hypothesis.words],
        "average_logprob": hypothesis.average_logprob,
        "durable": event.durable,
    }


def _failed(event: UtteranceFailed) -> dict[str, Any]:
    return {
        "utterance": event.utterance,
        **_times(event.span),
        "code": event.code,
        "message": event.message,
        "durable": event.durable,
    }


def _word(word: Word) -> dict[str, Any]:
    return {"text": word.text, **_times(word.span), "confidence": word.confidence}


def _ended(event: SessionEnded) -> dict[str, Any]:
    return {
        "reason": event.reason,
        "received_ms": ms_from_samples(event.received_samples),
        "decoded_ms": ms_from_samples(event.decoded_samples),
        "final_ms": ms_from_samples(event.finalized_samples),
    }
