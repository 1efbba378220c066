"""Deepgram's live transcription, the part of it that can be served.

Client: audio in binary frames, ``KeepAlive``, ``Finalize``, ``CloseStream``; what it wants stands in the query. Server:
``Results``, of which those of one utterance replace one another up to the one with ``is_final``; ``SpeechStarted`` and
``UtteranceEnd`` if they are wanted; ``Metadata`` at the end, after which the connection is closed.
"""

import hashlib
import json
import string
import uuid
from typing import Any, ClassVar

from asr_service import __version__
from asr_service.app.api.v1.websocket.protocols.codec import (
    AudioData,
    ClientMessage,
    EndInput,
    ForceEndpoint,
    Frame,
    MalformedMessage,
    Refuse,
    Reply,
    StartSession,
    read_json,
)
from asr_service.app.api.v1.websocket.protocols.deepgram_gaps import UtteranceGaps
from asr_service.app.dto.deepgram import ListenRequest
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import (
    SAMPLE_RATE_HZ,
    AudioEncoding,
    AudioFormat,
    SampleSpan,
    s_from_samples,
)
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Word
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.shared.errors import AsrError

SUBPROTOCOLS = ("token", "bearer")  # a browser offers one of them, and its key as another
_CHANNEL = [0, 1]  # the first of one: channels are mixed
_BYTES_PER_SAMPLE = {AudioEncoding.PCM_S16LE: 2, AudioEncoding.MULAW: 1, AudioEncoding.ALAW: 1}
_WAV_SIGNATURE = b"RIFF"
_PUNCTUATION = string.punctuation + "，。！？、；：“”‘’（）《》…—"
_HINT = "Known types: KeepAlive, Finalize, CloseStream."


class DeepgramCodec:
    """One connection; one stream.

    Raises:
        InvalidRequest: The query is wrong, or asks for what cannot be had.
    """

    name: ClassVar[str] = "deepgram"
    reusable: ClassVar[bool] = False

    def __init__(
        self, capabilities: RecognizerCapabilities, defaults: SessionConfig, *, request: ListenRequest
    ) -> None:
        query = request.query()
        self._query = query
        self._request = request
        self._format = query.audio_format()
        self._config = query.session_config(defaults, capabilities)
        self._model = capabilities
        self._model_uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{capabilities.engine}/{capabilities.model}"))
        self._gaps = UtteranceGaps(query.utterance_end_ms or 0, self._config.endpointing.silence_ms)
        self._begun = False
        self._ended = False
        self._digest = hashlib.sha256()
        self._received_bytes = 0
        self._begun_utterances = 0
        self._settled_utterances = 0
        self._finalized_utterance: int | None = None  # the last one that Finalize concerns
        self._forced: set[int] = set()

    # --- from the client

    def greet(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[ClientMessage]:
        try:
            return self._audio(frame) if isinstance(frame, bytes) else self._message(frame)
        except AsrError as error:
            return [Refuse(error)]

    def _audio(self, data: bytes) -> list[ClientMessage]:
        if self._ended:
            return []
        if not data:
            return self._end()  # as clients of old close a stream
        begin = self._begin(data)
        self._digest.update(data)
        self._received_bytes += len(data)
        position = self._position()
        told = [] if position is None else self._utterance_end(self._gaps.audio_received(position))
        return [*begin, AudioData(data), *([Reply(tuple(told))] if told else [])]

    def _begin(self, first_bytes: bytes) -> list[ClientMessage]:
        if self._begun:
            return []
        self._begun = True
        audio_format = self._format
        if audio_format is None:  # a WAV file is heard as it comes, other files when they are complete
            is_wav = _WAV_SIGNATURE.startswith(first_bytes[: len(_WAV_SIGNATURE)])
            audio_format = AudioFormat(AudioEncoding.PCM_S16LE if is_wav else AudioEncoding.CONTAINER)
        return [StartSession(self._config, audio_format)]

    def _position(self) -> int | None:
        """How much audio has come, in canonical samples; ``None`` where only the decoder knows."""
        if self._format is None or (width := _BYTES_PER_SAMPLE.get(self._format.encoding)) is None:
            return None
        frames = self._received_bytes // (width * self._format.channels)
        return frames * SAMPLE_RATE_HZ // self._format.sample_rate_hz

    def _message(self, text: str) -> list[ClientMessage]:
        message = read_json(text, hint=_HINT)
        match message.get("type") if isinstance(message, dict) else None:
            case "KeepAlive":
                return []
            case "Finalize":
                return self._finalize()
            case "CloseStream":
                return self._end()
        raise MalformedMessage("The message has no known type.", field="type", hint=_HINT)

    def _finalize(self) -> list[ClientMessage]:
        """Clients wait for a result that comes of it; if nobody has spoken, it is an empty one."""
        if self._ended:
            return []
        if self._begun_utterances == self._settled_utterances:
            force: list[ClientMessage] = [ForceEndpoint()] if self._begun else []
            return [*force, Reply((self._finalized_nothing(),))]
        self._finalized_utterance = self._begun_utterances - 1
        return [ForceEndpoint()]

    def _finalized_nothing(self) -> Frame:
        position = self._position() or 0
        return self._results(SILENCE, SampleSpan(position, position), speech_final=True, from_finalize=True)

    def _end(self) -> list[ClientMessage]:
        if self._ended:
            return []
        begin = self._begin(b"")
        self._ended = True
        return [*begin, EndInput()]

    # --- to the client

    def encode(self, event: SessionEvent) -> list[Frame]:
        match event:
            case SpeechStarted():
                return self._speech_started(event)
            case PartialRecognized():
                return self._partial(event)
            case SpeechEnded():
                self._speech_ended(event)
            case UtteranceFinalized():
                return self._final(event)
            case UtteranceFailed():
                return self._failed(event)
            case SessionEnded(reason=EndReason.COMPLETED | EndReason.TIMED_OUT):
                told = self._utterance_end(self._gaps.ended(event.received_samples))
                return [*told, self._metadata(event.received_samples)]
        return []

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        return [_frame("Error", variant=error.code, description=error.explanation)]

    def _speech_started(self, event: SpeechStarted) -> list[Frame]:
        self._begun_utterances = event.utterance + 1
        told = self._utterance_end(self._gaps.speech_started(event.utterance, event.start))
        if not self._query.vad_events:
            return told
        return [*told, _frame("SpeechStarted", channel=_CHANNEL, timestamp=s_from_samples(event.start))]

    def _speech_ended(self, event: SpeechEnded) -> None:
        if event.forced:
            self._forced.add(event.utterance)
        else:
            self._gaps.speech_ended(event.span)

    def _partial(self, event: PartialRecognized) -> list[Frame]:
        if event.utterance != self._settled_utterances:
            return []  # the final before is still to come, and would seem to replace it
        text = Hypothesis(event.stable + event.volatile, language=event.language)
        return [self._results(text, event.span, is_final=False, speech_final=False)]

    def _final(self, event: UtteranceFinalized) -> list[Frame]:
        hypothesis, forced = event.hypothesis, event.utterance in self._forced
        from_finalize = self._settle(event.utterance)
        speech_final = from_finalize or not forced  # no endpoint: a piece of speech that was too long
        result = self._results(hypothesis, event.span, speech_final=speech_final, from_finalize=from_finalize)
        last_word_end = hypothesis.words[-1].span.end if hypothesis.words else event.span.end
        told = self._gaps.settled(event.utterance, last_word_end if hypothesis.text else None)
        return [result, *self._utterance_end(told)]

    def _failed(self, event: UtteranceFailed) -> list[Frame]:
        frames = [_frame("Error", variant=event.code, description=event.message)]
        self._gaps.settled(event.utterance, None)
        if self._settle(event.utterance):
            frames.append(self._results(SILENCE, event.span, speech_final=True, from_finalize=True))
        return frames

    def _settle(self, utterance: int) -> bool:
        """Whether this was the utterance that the client has asked to be finalized."""
        self._settled_utterances = utterance + 1
        self._forced.discard(utterance)
        asked_for = utterance == self._finalized_utterance
        if asked_for:
            self._finalized_utterance = None
        return asked_for

    # --- messages

    def _utterance_end(self, last_word_end: int | None) -> list[Frame]:
        if last_word_end is None or self._query.utterance_end_ms is None:
            return []
        return [_frame("UtteranceEnd", channel=_CHANNEL, last_word_end=s_from_samples(last_word_end))]

    def _results(
        self,
        hypothesis: Hypothesis,
        span: SampleSpan,
        *,
        is_final: bool = True,
        speech_final: bool,
        from_finalize: bool = False,
    ) -> Frame:
        alternative: dict[str, Any] = {
            "transcript": hypothesis.text,
            "confidence": _mean_confidence(hypothesis.words),
            "words": [_word(word) for word in hypothesis.words],
        }
        if hypothesis.language is not None:
            alternative["languages"] = [hypothesis.language]
        return _frame(
            "Results",
            channel_index=_CHANNEL,
            duration=s_from_samples(len(span)),
            start=s_from_samples(span.start),
            is_final=is_final,
            speech_final=speech_final,
            from_finalize=from_finalize,
            channel={"alternatives": [alternative]},
            metadata={
                "request_id": self._request.request_id,
                "model_info": self._model_info(),
                "model_uuid": self._model_uuid,
            },
        )

    def _model_info(self) -> dict[str, str]:
        return {"name": self._model.model, "version": __version__, "arch": self._model.engine}

    def _metadata(self, received_samples: int) -> Frame:
        return _frame(
            "Metadata",
            transaction_key="deprecated",
            request_id=self._request.request_id,
            sha256=self._digest.hexdigest(),
            created=self._request.created,
            duration=s_from_samples(received_samples),
            channels=1,
            models=[self._model_uuid],
            model_info={self._model_uuid: self._model_info()},
        )


def _frame(kind: str, **fields: Any) -> Frame:
    return json.dumps({"type": kind, **fields}, ensure_ascii=False)


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text.strip(_PUNCTUATION).lower() or word.text,
        "start": s_from_samples(word.span.start),
        "end": s_from_samples(word.span.end),
        "confidence": word.confidence,
        "punctuated_word": word.text,
    }


def _mean_confidence(words: tuple[Word, ...]) -> float | None:
    known = [word.confidence for word in words if word.confidence is not None]
    return round(sum(known) / len(known), 4) if known else None
