"""The one table that says what each error means to a client."""

from dataclasses import dataclass

from asr_service.app.api.v1.websocket.protocols.codec import MalformedMessage
from asr_service.app.api.v1.websocket.pumps import ClientIdle, ClientTooSlow
from asr_service.app.services.admission import ServiceOverloaded
from asr_service.domain.entities.audio_session import IllegalTransition
from asr_service.domain.ports.audio_decoder import AudioNotDecodable, AudioTooLong, EmptyAudio
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded, RecognizerUnavailable
from asr_service.domain.value_objects.language import UnsupportedLanguage
from asr_service.shared.errors import AsrError, InvalidRequest, NotFound

# WebSocket close codes (RFC 6455 §7.4.1, and the IANA registry for 1012–1013)
NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error is to an HTTP client, to a WebSocket client, and in OpenAI's vocabulary of error types."""

    http_status: int
    close_code: int
    openai_type: str


_INVALID = Meaning(400, POLICY_VIOLATION, "invalid_request_error")
_BUSY = Meaning(503, TRY_AGAIN_LATER, "server_error")
_BROKEN = Meaning(500, INTERNAL_ERROR, "server_error")

MEANINGS: dict[type[AsrError], Meaning] = {
    AsrError: _BROKEN,
    InvalidRequest: _INVALID,
    NotFound: Meaning(404, POLICY_VIOLATION, "invalid_request_error"),
    MalformedMessage: _INVALID,
    IllegalTransition: _INVALID,
    UnsupportedLanguage: _INVALID,
    ClientIdle: Meaning(408, POLICY_VIOLATION, "invalid_request_error"),
    ClientTooSlow: Meaning(408, POLICY_VIOLATION, "invalid_request_error"),
    EmptyAudio: _INVALID,
    AudioNotDecodable: Meaning(400, UNSUPPORTED_DATA, "invalid_request_error"),
    AudioTooLong: Meaning(413, MESSAGE_TOO_BIG, "invalid_request_error"),
    ServiceOverloaded: _BUSY,
    RecognizerOverloaded: _BUSY,
    RecognizerUnavailable: _BUSY,
    RecognitionFailed: _BROKEN,
}


def meaning_of(error: AsrError) -> Meaning:
    """The entry of the error's class, or of the nearest class that it derives from."""
    return next(MEANINGS[kind] for kind in type(error).__mro__ if kind in MEANINGS)
