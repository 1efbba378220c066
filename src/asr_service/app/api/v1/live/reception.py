"""Lets connections in, and serves each of them to its end."""

from collections.abc import Callable

from asr_service.app.api.v1.live.connection import Connection, ConnectionLimits, Transport
from asr_service.app.api.v1.websocket.protocols.codec import Codec, CodecFactory
from asr_service.app.services.admission import Admission, ServiceOverloaded
from asr_service.app.services.audio_session_service import AudioSessionService
from asr_service.app.services.resumable_sessions import ResumableSessions
from asr_service.app.services.tenant_quota import TenantQuota
from asr_service.domain.ports.audio_decoder import AudioDecoder
from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.correlation import correlated
from asr_service.shared.errors import InvalidRequest
from asr_service.shared.identifiers import new_id


class Reception:
    """Serves connections of any protocol over any transport.

    Attributes:
        defaults: What holds for a session unless its client says otherwise.

    Args:
        on_close: Told of each connection that is over: protocol and close code.
    """

    def __init__(
        self,
        *,
        sessions: AudioSessionService,
        decoder: AudioDecoder,
        recognizer: Recognizer,
        admission: Admission,
        defaults: SessionConfig,
        limits: ConnectionLimits,
        quota: TenantQuota | None = None,
        resumable: ResumableSessions | None = None,
        on_close: Callable[[str, int], None] = lambda _protocol, _close_code: None,
    ) -> None:
        self._sessions = sessions
        self._decoder = decoder
        self._recognizer = recognizer
        self._admission = admission
        self.defaults = defaults
        self._limits = limits
        self._quota = quota or TenantQuota(0)
        self._resumable = resumable
        self._on_close = on_close
        self._connections: set[Connection] = set()

    def announce_stop(self, deadline_s: float) -> None:
        """See ``Audience``."""
        for connection in self._connections:
            connection.announce_stop(deadline_s)

    def demand_last_words(self) -> None:
        """See ``Audience``."""
        for connection in self._connections:
            connection.demand_last_words()

    def cancel(self, session_id: str) -> bool:
        """Cancels a session of this server; returns whether there is one of this id."""
        return any(connection.cancel(session_id) for connection in self._connections)

    async def serve(self, transport: Transport, caller: Caller, new_codec: CodecFactory) -> None:
        """Returns when the connection is over; in a full house, or with impossible wishes, it is refused at once."""
        with correlated(connection_id=new_id("con")):
            try:
                codec = new_codec(self._recognizer.capabilities, self.defaults)
                with self._admission.admit_live(caller):
                    async with self._quota.place(caller):
                        await self._serve_admitted(transport, caller, codec)
            except (InvalidRequest, ServiceOverloaded) as refusal:
                await transport.refuse(refusal)

    async def _serve_admitted(self, transport: Transport, caller: Caller, codec: Codec) -> None:
        await transport.accept()
        connection = Connection(
            transport,
            codec,
            caller,
            sessions=self._sessions,
            decoder=self._decoder,
            limits=self._limits,
            resumable=self._resumable,
        )
        self._connections.add(connection)
        try:
            close_code = await connection.run()
        finally:
            self._connections.discard(connection)
        self._on_close(codec.name, close_code)
