"""The composition root: the one place that knows both sides, the use cases and the adapters."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from asr_service.app.api.dependencies import ApiServices
from asr_service.app.api.v1.live.connection import ConnectionLimits
from asr_service.app.api.v1.live.reception import Reception
from asr_service.app.api.v1.tcp.protocols.wyoming import WyomingCodec
from asr_service.app.api.v1.tcp.wyoming_server import wyoming_served
from asr_service.app.api.v1.websocket.audio_handler import AudioHandler
from asr_service.app.api.v1.websocket.protocols.funasr import SUBPROTOCOL, FunAsrCodec
from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.app.api.v1.websocket.protocols.vosk import VoskCodec
from asr_service.app.api.v1.websocket.wire_protocols import TlsFiles, WireProtocol
from asr_service.app.services.admission import Admission, LoadLimit
from asr_service.app.services.audio_session_service import AudioSessionService, SessionLimits
from asr_service.app.services.client_secrets import ClientSecrets
from asr_service.app.services.drain import Drain
from asr_service.app.services.health import HealthService
from asr_service.app.services.lineup_control import LineupControl
from asr_service.app.services.resumable_listing import ResumableListing
from asr_service.app.services.resumable_sessions import ResumableSessions
from asr_service.app.services.session_cancellation import SessionCancellation
from asr_service.app.services.session_following import SessionFollowing
from asr_service.app.services.session_keeper import JournalState
from asr_service.app.services.transcription_service import TranscriptionService
from asr_service.domain.ports.audio_decoder import AudioDecoder
from asr_service.domain.ports.event_publisher import EventPublisher
from asr_service.domain.ports.model_store import ModelStore
from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.ports.recognizer_directory import RecognizerDirectory
from asr_service.domain.ports.speaker_diarizer import SpeakerDiarizer
from asr_service.domain.ports.transcript_reader import TranscriptReader
from asr_service.domain.ports.voice_activity import VoiceActivityDetector
from asr_service.domain.repositories.session_journal import SessionJournal
from asr_service.domain.value_objects.asr_config import RECORDING_ENDPOINTING, SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.engines import open_detector, open_diarizer
from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from asr_service.infrastructure.artifacts.catalogue import Catalogue, load_catalogue
from asr_service.infrastructure.artifacts.own_catalogue import with_own_entries
from asr_service.infrastructure.artifacts.recordings import RecordingLibrary
from asr_service.infrastructure.asr.recognizer_load import RecognizerLoad
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from asr_service.infrastructure.config.lineup_settings import LineupSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.config.speaker_settings import SpeakerSettings
from asr_service.infrastructure.messaging.event_publisher import InProcessEventBus
from asr_service.infrastructure.monitoring.event_loop_lag import lag_measured
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.session_journal import SqlSessionJournal
from asr_service.infrastructure.persistence.transcript_reader import SqlTranscriptReader
from asr_service.lineups import make_directory, make_load
from asr_service.nodes import Node, listening_to_others, open_node
from asr_service.shared.clock import SystemClock
from asr_service.shared.identifiers import new_id


@dataclass(frozen=True, slots=True)
class Engines:
    """What turns audio into text; ``load`` says how busy it is.

    ``diarizer`` tells who speaks in recordings; ``None``: nothing does.
    """

    decoder: AudioDecoder
    detector: VoiceActivityDetector
    recognizers: RecognizerDirectory
    load: RecognizerLoad | None = None
    diarizer: SpeakerDiarizer | None = None


@dataclass(frozen=True, slots=True)
class Transcriber:
    """What it takes to transcribe recordings without a server."""

    transcription: TranscriptionService
    recognizer: Recognizer
    decoder: PyAvAudioDecoder
    recording_defaults: SessionConfig


def wire_protocols(settings: Settings) -> tuple[WireProtocol, ...]:
    """Every protocol of live sessions, a line each; docs/api/adding-a-protocol.md says how one is added."""
    vosk, funasr = settings.vosk, settings.funasr
    funasr_codec = partial(FunAsrCodec, offline_label=funasr.offline_label)
    funasr_tls = TlsFiles(funasr.tls_certificate, funasr.tls_key) if funasr.tls_certificate and funasr.tls_key else None
    funasr_paths = ("/", "/ws", "/wss/")
    return (
        WireProtocol("native", NativeCodec, ("/api/v1/stream",)),
        WireProtocol("funasr", funasr_codec, funasr_paths, funasr.enabled, SUBPROTOCOL, funasr.port, funasr_tls),
        WireProtocol("vosk", VoskCodec, ("/vosk",), vosk.enabled, port=vosk.port),
    )


def open_catalogue(settings: Settings) -> Catalogue:
    """What can be had: the built-in entries, then the user's own.

    Raises:
        CatalogueUnusable: The user's catalogue cannot be read, or breaks a rule.
    """
    built_in, own = load_catalogue(), settings.models.catalogue
    return built_in if own is None else with_own_entries(built_in, own)


def open_model_store(settings: Settings) -> ModelStore:
    """The models and recordings on this machine."""
    models, recognizers = settings.models, settings.recognizers().values()
    own = {wanted.model: wanted.model_directory for wanted in recognizers if wanted.model_directory is not None}
    return CachedModelStore(
        models.cache_directory,
        open_catalogue(settings),
        local_directories=models.local_directories,
        own_models=own,
        offline=models.offline,
    )


def open_recordings(settings: Settings) -> RecordingLibrary:
    """The recordings of the catalogue."""
    return RecordingLibrary(open_model_store(settings), open_catalogue(settings))


def open_decoder(settings: Settings) -> PyAvAudioDecoder:
    """What reads audio."""
    return PyAvAudioDecoder(
        max_file_seconds=settings.audio.max_file_hours * 3_600, max_container_bytes=settings.server.max_upload_bytes
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database with the schema of this version."""
    url = settings.database.url.get_secret_value()
    database = Database(url, pool_size=settings.database.pool_size, timeout_s=settings.database.timeout_s)
    await database.migrate()
    await database.connect()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_engines(settings: Settings, metrics: Metrics) -> AsyncIterator[Engines]:
    """The real engines, ready to work: the default lineup is loaded, and what else the settings want to be.

    Raises:
        ModelUnknown, ModelMissing, ModelCorrupt, ModelUnsuitable: A model that is named is not there, or not as it should be.
        EngineUnknown, EngineNotInstalled: Nothing here can run it.
        VoiceActivityUnavailable: The detector's model cannot be loaded.
        RecognizerUnavailable: No worker could be started, or there is no GPU for them.
    """
    store = open_model_store(settings)
    load = make_load(settings, metrics)
    diarizer = await open_diarizer(settings.speakers)
    if diarizer is not None:
        metrics.observe_queue("speakers", lambda: diarizer.waiting, diarizer.max_waiting)
    detector = await asyncio.to_thread(open_detector, settings.vad, store)
    metrics.observe_queue("voice_activity", lambda: detector.waiting, settings.vad.max_waiting)
    try:
        async with make_directory(settings, store, metrics, load) as directory:
            yield Engines(open_decoder(settings), detector, directory, load, diarizer)
    finally:
        await detector.close()


@asynccontextmanager
async def open_transcriber(settings: Settings) -> AsyncIterator[Transcriber]:
    """Everything for transcribing recordings here and now: no database, no server, no partials, and no speakers."""
    finals_only = settings.recognizer.model_copy(update={"partials_model": ""})
    without = {"recognizer": finals_only, "lineups": LineupSettings(), "speakers": SpeakerSettings()}
    settings = settings.model_copy(update=without)
    async with (
        open_engines(settings, Metrics()) as engines,
        engines.recognizers.lease(LOCAL_CALLER, None, new_id("ses")) as leased,
    ):
        admission = Admission(settings.server.max_sessions)
        transcription = _transcription(engines, InProcessEventBus(()), admission)
        yield Transcriber(transcription, leased.recognizer, open_decoder(settings), _recording_defaults(settings))


@asynccontextmanager
async def build(settings: Settings, *, engines: Engines | None = None) -> AsyncIterator[ApiServices]:
    """The whole service, opened in the order of its needs and closed in the opposite one.

    Args:
        settings: As loaded.
        engines: In place of the real ones, for tests; whoever made them closes them.

    Raises:
        ModelMissing, ModelCorrupt, RecognizerUnavailable: There is nothing to recognize with.
        StorageUnavailable: There is nowhere to store.
        CannotListen: The port of Wyoming is taken.
    """
    metrics = Metrics()
    async with (
        open_database(settings) as database,
        _open_journal(settings, database) as journal,
        open_node(settings, database, journal, metrics) as node,
        lag_measured(metrics.event_loop_lag, SystemClock()),
        nullcontext(engines) if engines is not None else open_engines(settings, metrics) as opened,
    ):
        services = _api_services(settings, database, journal, node, opened, metrics)
        reception = services.audio.reception
        async with _wyoming(settings, reception), listening_to_others(node, reception.cancel):
            yield services


def _wyoming(settings: Settings, reception: Reception) -> AbstractAsyncContextManager[object]:
    wanted = settings.wyoming
    if not wanted.enabled:
        return nullcontext()
    codec = partial(WyomingCodec, streaming=wanted.transcript_streaming)
    return wyoming_served(reception, codec, wanted.host, wanted.port)


@asynccontextmanager
async def _open_journal(settings: Settings, database: Database) -> AsyncIterator[SessionJournal | None]:
    """What keeps live sessions: a Redis, or else the database; ``None``: they are not kept."""
    wanted, url = settings.journal, settings.journal.url.get_secret_value()
    if not wanted.enabled:
        yield None
    elif not url:
        yield SqlSessionJournal(database, wanted.expires_s, SystemClock())
    else:
        from asr_service.infrastructure.persistence.redis_session_journal import (  # noqa: PLC0415 - of an extra
            RedisSessionJournal,
        )
        from asr_service.infrastructure.persistence.redis_store import RedisStore  # noqa: PLC0415 - of an extra

        store = RedisStore(url)
        await store.connect()
        try:
            yield RedisSessionJournal(store, wanted.expires_s)
        finally:
            await store.close()


def _sessions(engines: Engines, publisher: EventPublisher, limits: SessionLimits) -> AudioSessionService:
    return AudioSessionService(
        detector=engines.detector,
        publisher=publisher,
        clock=SystemClock(),
        limits=limits,
        load=lambda: 0.0 if engines.load is None else engines.load.of_partials,
    )


def _transcription(engines: Engines, publisher: EventPublisher, admission: Admission) -> TranscriptionService:
    """Nobody waits for a recording as for a live answer: a slow recognizer gets the time that it takes."""
    sessions = _sessions(engines, publisher, SessionLimits(drain_deadline_s=None))
    return TranscriptionService(
        decoder=engines.decoder,
        recognizers=engines.recognizers,
        sessions=sessions,
        admission=admission,
        diarizer=engines.diarizer,
    )


def _admission(settings: Settings, engines: Engines, metrics: Metrics) -> Admission:
    wanted = settings.server
    limit = LoadLimit(engines.load, SystemClock(), wanted.max_load) if engines.load and wanted.max_load else None
    return Admission(wanted.max_sessions, load=limit, on_refused=metrics.session_refused)


def _resumable(
    settings: Settings,
    sessions: AudioSessionService,
    engines: Engines,
    journal: SessionJournal,
    metrics: Metrics,
) -> ResumableSessions:
    state = JournalState(on_write=metrics.journal_written)
    metrics.observe_journal(lambda: state.available)
    return ResumableSessions(
        sessions=sessions,
        decoder=engines.decoder,
        journal=journal,
        expires_s=settings.journal.expires_s,
        wait_s=settings.journal.wait_s,
        state=state,
    )


def _transcripts(database: Database, journal: SessionJournal | None, node: Node) -> TranscriptReader:
    reader = SqlTranscriptReader(database, node.presence.look)
    return reader if journal is None else ResumableListing(reader, journal)


def _live_defaults(settings: Settings) -> SessionConfig:
    return SessionConfig(
        options=settings.text.options(),
        endpointing=settings.endpointing.policy(),
        partials=settings.partials.policy(),
    )


def _recording_defaults(settings: Settings) -> SessionConfig:
    return SessionConfig(
        options=settings.text.options(), endpointing=RECORDING_ENDPOINTING, partials=settings.partials.policy()
    )


def _api_services(
    settings: Settings,
    database: Database,
    journal: SessionJournal | None,
    node: Node,
    engines: Engines,
    metrics: Metrics,
) -> ApiServices:
    admission = _admission(settings, engines, metrics)
    sessions = _sessions(engines, node.publisher, SessionLimits(drain_deadline_s=settings.server.drain_deadline_s))
    reception = Reception(
        sessions=sessions,
        decoder=engines.decoder,
        recognizers=engines.recognizers,
        admission=admission,
        defaults=_live_defaults(settings),
        limits=ConnectionLimits(settings.server.idle_timeout_s, settings.server.send_timeout_s),
        quota=node.quota,
        resumable=None if journal is None else _resumable(settings, sessions, engines, journal, metrics),
        on_close=metrics.websocket_closed,
    )
    transcripts = _transcripts(database, journal, node)
    following = SessionFollowing(transcripts, node.feed)
    metrics.observe_queue("followers", lambda: following.followers, following.max_followers)
    drain = Drain(admission, [reception, following])
    return ApiServices(
        audio=AudioHandler(reception),
        drain=drain,
        transcription=_transcription(engines, node.publisher, admission),
        transcripts=transcripts,
        cancellation=SessionCancellation(transcripts, node.node_id, reception.cancel, node.link),
        following=following,
        recognizers=engines.recognizers,
        lineups=LineupControl(engines.recognizers, changes_allowed=settings.lineups.changes_allowed),
        health=HealthService(
            {"server": drain.check, "recognizer": engines.recognizers.check, "database": database.ping}
        ),
        client_secrets=ClientSecrets(SystemClock()),
        recording_defaults=_recording_defaults(settings),
        on_request=metrics.http_request,
        render_metrics=metrics.render,
        started_at_s=int(time.time()),
    )
