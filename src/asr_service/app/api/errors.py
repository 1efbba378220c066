"""The one table that says what each error means to a client."""

from dataclasses import dataclass
from os import (
    EX_CANTCREAT,
    EX_DATAERR,
    EX_NOINPUT,
    EX_NOPERM,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
)

from asr_service.app.api.v1.live.outbox import ClientGone, ClientIdle, ClientTooSlow
from asr_service.app.api.v1.tcp.listener import CannotListen
from asr_service.app.api.v1.websocket.protocols.codec import MalformedMessage
from asr_service.app.dto.model_names import ModelNotFound
from asr_service.app.services.admission import ServiceOverloaded
from asr_service.app.services.audio_session_service import SessionCancelled
from asr_service.app.services.client_secrets import InvalidClientSecret, TooManyClientSecrets
from asr_service.app.services.drain import ServerStopping
from asr_service.app.services.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from asr_service.app.services.lineup_control import ChangesNotAllowed
from asr_service.app.services.session_cancellation import NodeUnreachable, SessionNotLive
from asr_service.app.services.session_recorder import SessionNotRecorded
from asr_service.domain.entities.audio_session import IllegalTransition, ReplayIncomplete
from asr_service.domain.ports.audio_decoder import AudioNotDecodable, AudioTooLong, EmptyAudio, NoRoomForAudio
from asr_service.domain.ports.live_feed import FollowerTooSlow
from asr_service.domain.ports.model_store import (
    CacheNotWritable,
    CatalogueUnusable,
    DiskFull,
    ModelCorrupt,
    ModelDownloadFailed,
    ModelMissing,
    ModelUnknown,
    ModelUnsuitable,
)
from asr_service.domain.ports.recognizer import (
    EngineNotInstalled,
    EngineUnknown,
    RecognitionFailed,
    RecognitionSuperseded,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.ports.recognizer_directory import LineupInUse, LineupLoading, LineupUnknown, NoMemoryForLineup
from asr_service.domain.ports.speaker_diarizer import DiarizationFailed, DiarizerOverloaded
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.ports.voice_activity import VoiceActivityUnavailable
from asr_service.domain.repositories.session_journal import SessionNotResumable, SessionTakenOver
from asr_service.domain.value_objects.language import UnsupportedLanguage
from asr_service.domain.value_objects.session_checkpoint import CheckpointUnusable
from asr_service.shared.errors import AsrError, InvalidRequest, NotFound

# WebSocket close codes (RFC 6455 §7.4.1, and the IANA registry for 1012–1013)
NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error is to an HTTP client, a WebSocket client and a shell, and in OpenAI's vocabulary of error types."""

    http_status: int
    close_code: int
    exit_code: int
    openai_type: str = "invalid_request_error"


_INVALID = Meaning(400, POLICY_VIOLATION, EX_USAGE)
_BUSY = Meaning(503, TRY_AGAIN_LATER, EX_TEMPFAIL, "server_error")
_BROKEN = Meaning(500, INTERNAL_ERROR, EX_SOFTWARE, "server_error")
_MISSING_PART = Meaning(503, INTERNAL_ERROR, EX_UNAVAILABLE, "server_error")

MEANINGS: dict[type[AsrError], Meaning] = {
    AsrError: _BROKEN,
    InvalidRequest: _INVALID,
    NotFound: Meaning(404, POLICY_VIOLATION, EX_NOINPUT),
    MalformedMessage: _INVALID,
    IllegalTransition: _INVALID,
    UnsupportedLanguage: _INVALID,
    ModelNotFound: Meaning(404, POLICY_VIOLATION, EX_NOINPUT),
    InvalidClientSecret: Meaning(401, POLICY_VIOLATION, EX_NOPERM),
    TooManyClientSecrets: _BUSY,
    IdempotencyInProgress: Meaning(409, TRY_AGAIN_LATER, EX_TEMPFAIL),
    IdempotencyKeyReused: Meaning(422, POLICY_VIOLATION, EX_USAGE),
    CannotListen: _MISSING_PART,
    ClientIdle: Meaning(408, POLICY_VIOLATION, EX_TEMPFAIL),
    ClientGone: Meaning(408, GOING_AWAY, EX_TEMPFAIL),  # nobody is told; it stands in the log
    ClientTooSlow: Meaning(408, POLICY_VIOLATION, EX_TEMPFAIL),
    FollowerTooSlow: Meaning(408, POLICY_VIOLATION, EX_TEMPFAIL),
    EmptyAudio: Meaning(400, POLICY_VIOLATION, EX_DATAERR),
    AudioNotDecodable: Meaning(400, UNSUPPORTED_DATA, EX_DATAERR),
    AudioTooLong: Meaning(413, MESSAGE_TOO_BIG, EX_DATAERR),
    NoRoomForAudio: Meaning(507, TRY_AGAIN_LATER, EX_CANTCREAT, "server_error"),
    ServiceOverloaded: _BUSY,
    RecognizerOverloaded: _BUSY,
    RecognizerUnavailable: _BUSY,
    EngineUnknown: _MISSING_PART,
    EngineNotInstalled: _MISSING_PART,
    RecognitionFailed: _BROKEN,
    DiarizationFailed: _BROKEN,
    DiarizerOverloaded: _BUSY,
    RecognitionSuperseded: _BUSY,
    VoiceActivityUnavailable: _BUSY,
    StorageUnavailable: _BUSY,
    SessionNotRecorded: _BROKEN,  # no client is told; it stands in the log, and with dead letters
    ServerStopping: Meaning(503, SERVICE_RESTART, EX_TEMPFAIL, "server_error"),
    SessionNotResumable: Meaning(404, POLICY_VIOLATION, EX_NOINPUT),
    SessionTakenOver: Meaning(409, POLICY_VIOLATION, EX_TEMPFAIL),
    SessionCancelled: Meaning(410, POLICY_VIOLATION, EX_UNAVAILABLE),
    SessionNotLive: Meaning(409, POLICY_VIOLATION, EX_UNAVAILABLE),
    NodeUnreachable: Meaning(503, TRY_AGAIN_LATER, EX_TEMPFAIL, "server_error"),
    CheckpointUnusable: Meaning(410, POLICY_VIOLATION, EX_DATAERR),
    ReplayIncomplete: _INVALID,
    LineupUnknown: Meaning(404, POLICY_VIOLATION, EX_NOINPUT),
    LineupLoading: _BUSY,
    NoMemoryForLineup: _BUSY,
    LineupInUse: Meaning(409, POLICY_VIOLATION, EX_TEMPFAIL),
    ChangesNotAllowed: Meaning(403, POLICY_VIOLATION, EX_NOPERM),
    ModelUnknown: Meaning(404, POLICY_VIOLATION, EX_NOINPUT),
    ModelMissing: _MISSING_PART,
    ModelUnsuitable: _MISSING_PART,
    CatalogueUnusable: _MISSING_PART,
    ModelCorrupt: _MISSING_PART,
    ModelDownloadFailed: _MISSING_PART,
    CacheNotWritable: Meaning(503, INTERNAL_ERROR, EX_CANTCREAT, "server_error"),
    DiskFull: Meaning(503, INTERNAL_ERROR, EX_CANTCREAT, "server_error"),
}


def meaning_of(error: AsrError) -> Meaning:
    """The entry of the error's class, or of the nearest class that it derives from."""
    return next(MEANINGS[kind] for kind in type(error).__mro__ if kind in MEANINGS)
