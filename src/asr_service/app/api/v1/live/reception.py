"""Lets connections in, and serves each of them to its end."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from asr_service.app.api.v1.live.connection import Connection, ConnectionLimits, Transport
from asr_service.app.api.v1.websocket.protocols.codec import Codec, CodecFactory
from asr_service.app.dto.model_names import not_found
from asr_service.app.services.admission import Admission
from asr_service.app.services.audio_session_service import AudioSessionService
from asr_service.app.services.held_recognizer import HeldRecognizer
from asr_service.app.services.resumable_sessions import ResumableSessions
from asr_service.app.services.tenant_quota import TenantQuota
from asr_service.domain.ports.audio_decoder import AudioDecoder
from asr_service.domain.ports.recognizer_directory import LineupUnknown, RecognizerDirectory
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.correlation import correlated
from asr_service.shared.errors import AsrError
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
        recognizers: RecognizerDirectory,
        admission: Admission,
        defaults: SessionConfig,
        limits: ConnectionLimits,
        quota: TenantQuota | None = None,
        resumable: ResumableSessions | None = None,
        on_close: Callable[[str, int], None] = lambda _protocol, _close_code: None,
    ) -> None:
        self._sessions = sessions
        self._decoder = decoder
        self._recognizers = recognizers
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

    async def serve(
        self, transport: Transport, caller: Caller, new_codec: CodecFactory, model: str | None = None
    ) -> None:
        """Returns when the connection is over; in a full house, or with impossible wishes, it is refused at once.

        Args:
            transport: Carries its frames.
            caller: Who connects.
            new_codec: Makes its codec, for the recognizer that it gets.
            model: The name of a recognizer, where the connection itself asks for one.
        """
        session_id = new_id("ses")
        with correlated(connection_id=new_id("con")):
            async with AsyncExitStack() as place:
                try:
                    place.enter_context(self._admission.admit_live(caller))
                    await place.enter_async_context(self._quota.place(caller))
                    held = HeldRecognizer(self._recognizers, caller, session_id, model)
                    await place.enter_async_context(held)
                    codec = new_codec(held.capabilities, self.defaults)
                except AsrError as refusal:
                    await transport.refuse(_in_the_address(refusal, model))
                    return
                await self._serve_admitted(transport, caller, codec, held, session_id)

    async def _serve_admitted(
        self, transport: Transport, caller: Caller, codec: Codec, held: HeldRecognizer, session_id: str
    ) -> None:
        await transport.accept()
        connection = Connection(
            transport,
            codec,
            caller,
            held,
            session_id,
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


def _in_the_address(refusal: AsrError, model: str | None) -> AsrError:
    """The refusal; that of a model names what of the address is wrong."""
    return not_found(model, field="model") if model and isinstance(refusal, LineupUnknown) else refusal
