"""What the native protocol says of events: a typed message for each."""

from collections.abc import Sequence
from typing import Final, Literal

from asr_service.app.dto.native_messages import (
    EndedMessage,
    EndpointingJson,
    FailedMessage,
    FinalMessage,
    FlowMessage,
    GoingAwayMessage,
    PartialMessage,
    PartialsJson,
    ResumedMessage,
    ResumeOfferJson,
    SafeMessage,
    ServerMessage,
    SpeechEndedMessage,
    SpeechStartedMessage,
    StartedMessage,
    TextFeaturesJson,
    WordJson,
)
from asr_service.app.dto.wish_outcomes import WishOutcome, wish_outcomes
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceEvent,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    AudioSafe,
    FlowChanged,
    HandoverAnnounced,
    ResumeOffer,
    SessionEnded,
    SessionEvent,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.recognizer import RecognizerCapabilities, TextFeatures
from asr_service.domain.services.replay import audio_from_ms
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, PartialPolicy
from asr_service.domain.value_objects.audio_metadata import ms_from_samples
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.domain.value_objects.session_status import EndReason

PROTOCOL_VERSION: Final = 1
_REASONS: Final[dict[EndReason, Literal["completed", "timed_out", "failed"]]] = {
    EndReason.COMPLETED: "completed",
    EndReason.TIMED_OUT: "timed_out",
    EndReason.FAILED: "failed",
}


def message_of(
    event: SessionEvent, seq: int, capabilities: RecognizerCapabilities, unsupported: Sequence[str] = ()
) -> ServerMessage | None:
    """The message that tells of an event; ``None`` if the protocol has no words for it.

    ``unsupported``: wishes that were not fulfilled, beside those that the capabilities tell of.
    """
    match event:
        case SessionStarted():
            return _started(event, seq, capabilities, unsupported)
        case SessionResumed():
            return _resumed(event, seq, capabilities, unsupported)
        case SessionEnded() if event.reason in _REASONS:
            # Else nobody is there, or the client has been told why it is put out.
            return _ended(event, seq)
        case AudioSafe() | HandoverAnnounced() | FlowChanged():
            return _notice(event, seq)
        case UtteranceEvent():
            return utterance_message(event, seq)
    return None


def utterance_message(event: UtteranceEvent, seq: int) -> ServerMessage | None:
    """The same for an event of an utterance."""
    match event:
        case SpeechStarted():
            return _speech_started(event, seq)
        case PartialRecognized():
            return _partial(event, seq)
        case SpeechEnded():
            return _speech_ended(event, seq)
        case UtteranceFinalized():
            return _final(event, seq)
        case UtteranceFailed():
            return _failed(event, seq)
    return None


def _started(
    event: SessionStarted | SessionResumed, seq: int, capabilities: RecognizerCapabilities, unsupported: Sequence[str]
) -> StartedMessage:
    options = event.config.options
    outcomes = wish_outcomes(options, capabilities)
    return {
        "type": "started",
        "seq": seq,
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
            "punctuation": capabilities.punctuation,
            "casing": capabilities.casing,
            "text": _text_features(capabilities.text),
        },
        "unsupported": [
            *unsupported,
            *(wish for wish, outcome in outcomes.items() if outcome is WishOutcome.UNSUPPORTED),
        ],
        "wishes": outcomes,
        "config": {
            "language": options.language,
            "script": options.script,
            "numbers": options.numbers,
            "casing": options.casing,
            "mask": options.mask,
            "word_times": options.word_times,
            "hotwords": len(options.hotwords),
            "endpointing": _endpointing(event.config.endpointing),
            "partials": _partials(event.config.partials),
            "store": event.config.stored,
            "model": event.config.lineup,
        },
        "resume": _offer(event.resume),
    }


def _resumed(
    event: SessionResumed, seq: int, capabilities: RecognizerCapabilities, unsupported: Sequence[str]
) -> ResumedMessage:
    return {
        **_started(event, seq, capabilities, unsupported),
        "type": "resumed",
        "utterances": event.utterances,
        "audio_from_ms": audio_from_ms(event.replay_from),
    }


def _text_features(features: TextFeatures) -> TextFeaturesJson:
    return {
        "scripts": features.scripts,
        "written_numbers": sorted(features.written_numbers),
        "spoken_numbers": sorted(features.spoken_numbers),
        "punctuation": sorted(features.punctuation),
        "casing": features.casing,
        "masking": features.masking,
        "unmasking": features.unmasking,
    }


def _endpointing(policy: EndpointingPolicy) -> EndpointingJson:
    return {
        "threshold": policy.threshold,
        "silence_ms": policy.silence_ms,
        "min_speech_ms": policy.min_speech_ms,
        "max_utterance_ms": policy.max_utterance_ms,
        "prefix_padding_ms": policy.prefix_padding_ms,
        "sentence_silence_ms": policy.sentence_silence_ms,
        "on_demand": policy.on_demand,
    }


def _partials(policy: PartialPolicy) -> PartialsJson:
    return {
        "enabled": policy.enabled,
        "interval_ms": policy.interval_ms,
        "max_interval_ms": policy.max_interval_ms,
    }


def _offer(offer: ResumeOffer | None) -> ResumeOfferJson | None:
    return None if offer is None else {"token": offer.token, "expires_s": offer.expires_s}


def _notice(
    event: AudioSafe | HandoverAnnounced | FlowChanged, seq: int
) -> SafeMessage | GoingAwayMessage | FlowMessage:
    match event:
        case AudioSafe():
            audio_ms = audio_from_ms(event.replay_from)
            return SafeMessage(type="safe", seq=seq, utterances=event.utterances, audio_ms=audio_ms)
        case HandoverAnnounced():
            return GoingAwayMessage(type="going_away", seq=seq, deadline_s=event.deadline_s, resumable=event.resumable)
        case FlowChanged():
            return FlowMessage(type="flow", seq=seq, state=event.state, waiting_ms=event.waiting_ms)


def _speech_started(event: SpeechStarted, seq: int) -> SpeechStartedMessage:
    return {
        "type": "speech_started",
        "seq": seq,
        "utterance": event.utterance,
        "start_ms": ms_from_samples(event.start),
    }


def _partial(event: PartialRecognized, seq: int) -> PartialMessage:
    return {
        "type": "partial",
        "seq": seq,
        "utterance": event.utterance,
        "revision": event.revision,
        "start_ms": ms_from_samples(event.span.start),
        "end_ms": ms_from_samples(event.span.end),
        "text": event.stable + event.volatile,
        "stable": event.stable,
        "volatile": event.volatile,
        "language": event.language,
    }


def _speech_ended(event: SpeechEnded, seq: int) -> SpeechEndedMessage:
    return {
        "type": "speech_ended",
        "seq": seq,
        "utterance": event.utterance,
        "start_ms": ms_from_samples(event.span.start),
        "end_ms": ms_from_samples(event.span.end),
        "forced": event.forced,
    }


def _final(event: UtteranceFinalized, seq: int) -> FinalMessage:
    hypothesis = event.hypothesis
    return {
        "type": "final",
        "seq": seq,
        "utterance": event.utterance,
        "start_ms": ms_from_samples(event.span.start),
        "end_ms": ms_from_samples(event.span.end),
        "text": hypothesis.text,
        "language": hypothesis.language,
        "language_confidence": hypothesis.language_confidence,
        "timing": hypothesis.timing,
        "words": [_word(word) for word in hypothesis.words],
        "average_logprob": hypothesis.average_logprob,
        "durable": event.durable,
    }


def _failed(event: UtteranceFailed, seq: int) -> FailedMessage:
    return {
        "type": "failed",
        "seq": seq,
        "utterance": event.utterance,
        "start_ms": ms_from_samples(event.span.start),
        "end_ms": ms_from_samples(event.span.end),
        "code": event.code,
        "message": event.message,
        "durable": event.durable,
    }


def _word(word: Word) -> WordJson:
    return {
        "text": word.text,
        "start_ms": ms_from_samples(word.span.start),
        "end_ms": ms_from_samples(word.span.end),
        "confidence": word.confidence,
    }


def _ended(event: SessionEnded, seq: int) -> EndedMessage:
    return {
        "type": "ended",
        "seq": seq,
        "reason": _REASONS[event.reason],
        "received_ms": ms_from_samples(event.received_samples),
        "decoded_ms": ms_from_samples(event.decoded_samples),
        "final_ms": ms_from_samples(event.finalized_samples),
    }
