"""What routes are given: the use cases, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from asr_service.app.api.v1.websocket.audio_handler import AudioHandler
from asr_service.app.api.v1.websocket.protocols.openai_realtime_config import RealtimeConfig
from asr_service.app.services.client_secrets import ClientSecrets
from asr_service.app.services.drain import Drain
from asr_service.app.services.health import HealthService
from asr_service.app.services.lineup_control import LineupControl
from asr_service.app.services.session_cancellation import SessionCancellation
from asr_service.app.services.session_following import SessionFollowing
from asr_service.app.services.transcription_service import TranscriptionService
from asr_service.domain.ports.recognizer_directory import RecognizerDirectory
from asr_service.domain.ports.transcript_reader import TranscriptReader
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER, Caller


@dataclass(frozen=True, slots=True)
class ApiServices:
    """Everything that the interfaces call.

    Attributes:
        on_request: Told of each finished HTTP request: route template, method, status, seconds.
        render_metrics: The metrics in the text format of Prometheus, and its content type.
        started_at_s: Unix time of the start of this process, the ``created`` of OpenAI's model objects.
    """

    audio: AudioHandler
    transcription: TranscriptionService
    transcripts: TranscriptReader
    cancellation: SessionCancellation
    following: SessionFollowing
    recognizers: RecognizerDirectory
    lineups: LineupControl
    health: HealthService
    drain: Drain
    client_secrets: ClientSecrets[RealtimeConfig]
    recording_defaults: SessionConfig
    on_request: Callable[[str | None, str, int, float], None]
    render_metrics: Callable[[], tuple[bytes, str]]
    started_at_s: int


def services_of(connection: HTTPConnection) -> ApiServices:
    """The use cases of the running application."""
    services: ApiServices = connection.app.state.services
    return services


def caller_of(connection: HTTPConnection) -> Caller:
    """Who asks. Without authentication everybody is the local caller."""
    return LOCAL_CALLER


Services = Annotated[ApiServices, Depends(services_of)]
CurrentCaller = Annotated[Caller, Depends(caller_of)]
