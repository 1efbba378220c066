"""Transcribes recordings, through the same sessions that serve live audio."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

from asr_service.app.services.admission import Admission
from asr_service.app.services.audio_session_service import AudioSessionService, LiveSession
from asr_service.domain.events.recognition_events import UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.audio_decoder import AudioDecoder
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognizerOverloaded, RecognizerUnavailable
from asr_service.domain.ports.recognizer_directory import LeasedRecognizer, RecognizerDirectory
from asr_service.domain.ports.speaker_diarizer import DiarizationUnavailable, SpeakerDiarizer
from asr_service.domain.value_objects.asr_config import PartialPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import s_from_samples
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.domain.value_objects.transcript import TranscribedUtterance, Transcript
from asr_service.shared.errors import AsrError
from asr_service.shared.identifiers import new_id

Progress = Callable[[float], None]
"""Told the seconds of audio that are transcribed so far."""

OnUtterance = Callable[[TranscribedUtterance], Awaitable[None]]
"""Told each utterance that has text, in order, as soon as it is final; transcription goes on when it returns."""

_PASSING_FAILURES = {kind.code: kind for kind in (RecognizerOverloaded, RecognizerUnavailable)}


class TranscriptionService:
    """Turns a recording into a transcript.

    Args:
        decoder: Reads recordings.
        recognizers: Give what recognizes them.
        sessions: Transcribe them.
        admission: Lets them in.
        diarizer: Tells who speaks in them; ``None``: nothing does.
    """

    def __init__(
        self,
        *,
        decoder: AudioDecoder,
        recognizers: RecognizerDirectory,
        sessions: AudioSessionService,
        admission: Admission,
        diarizer: SpeakerDiarizer | None = None,
    ) -> None:
        self._decoder = decoder
        self._recognizers = recognizers
        self._sessions = sessions
        self._admission = admission
        self._diarizer = diarizer

    @property
    def tells_speakers_apart(self) -> bool:
        """Whether transcripts can say who speaks when."""
        return self._diarizer is not None

    async def transcribe(
        self,
        caller: Caller,
        recording: Path,
        config: SessionConfig,
        progress: Progress = lambda _seconds: None,
        on_utterance: OnUtterance | None = None,
        *,
        leased: LeasedRecognizer | None = None,
        speakers: bool = False,
    ) -> Transcript:
        """Transcribes one recording of any common container; memory does not grow with its length.

        Args:
            caller: On whose behalf.
            recording: Where it is.
            config: What is asked for.
            progress: See there.
            on_utterance: See there.
            leased: Recognizes it; ``None``: what the routing gives.
            speakers: It is found out who speaks when, before any other work, so that what is too long for that costs little.

        Raises:
            EmptyAudio, AudioNotDecodable, AudioTooLong: It cannot be read.
            DiarizationUnavailable: Speakers are asked for, and nothing can tell them apart.
            DiarizationFailed, DiarizerOverloaded, NoRoomForAudio: They cannot be told apart in this recording, or not now.
            RecognitionFailed: A part of it got no text; a transcript with a hole would be a lie, so the rest is not waited
                for.
            RecognizerOverloaded, RecognizerUnavailable: The same, and it may go better another time.
            ServiceOverloaded: There is no room now.
        """
        collector = _Collector(progress, on_utterance)
        config = replace(config, partials=PartialPolicy(enabled=False), stored=False, live=False)
        session_id = new_id("ses")
        async with AsyncExitStack() as place:
            place.enter_context(self._admission.admit(caller))
            turns = await self._turns(recording) if speakers else None
            if leased is None:
                leased = await place.enter_async_context(self._recognizers.lease(caller, None, session_id))
            config = replace(config, lineup=leased.lineup)
            session = self._sessions.open(
                caller, config, None, collector.deliver, leased.recognizer, session_id=session_id
            )
            feeding = asyncio.create_task(_feed(session, self._decoder.decode_file(recording)))
            try:
                await session.run()
            finally:
                feeding.cancel()
                (failure,) = await asyncio.gather(feeding, return_exceptions=True)
        if isinstance(failure, Exception):
            raise failure  # the session ended because the recording could not be read on
        return replace(collector.transcript(), turns=turns)

    async def _turns(self, recording: Path) -> tuple[SpeakerTurn, ...]:
        if self._diarizer is None:
            raise DiarizationUnavailable("This service does not tell speakers apart.")
        async with aclosing(self._decoder.decode_file(recording)) as blocks:
            return await self._diarizer.diarize(blocks)


async def _feed(session: LiveSession, blocks: AsyncGenerator[bytes, None]) -> None:
    try:
        async with aclosing(blocks):
            async for block in blocks:
                await session.push_audio(block)
    except BaseException:
        session.abort(EndReason.FAILED)
        raise
    await session.end_input()


class _Collector:
    """Gathers the finals of one session."""

    def __init__(self, progress: Progress, on_utterance: OnUtterance | None) -> None:
        self._progress = progress
        self._on_utterance = on_utterance
        self._utterances: list[TranscribedUtterance] = []
        self._ended: SessionEnded | None = None

    async def deliver(self, event: SessionEvent) -> None:
        match event:
            case UtteranceFinalized():
                if event.hypothesis.text:
                    await self._keep(TranscribedUtterance(event.span, event.hypothesis))
                self._progress(s_from_samples(event.span.end))
            case UtteranceFailed():
                raise _hole(event)
            case SessionEnded():
                self._ended = event
                self._progress(s_from_samples(event.decoded_samples))

    async def _keep(self, utterance: TranscribedUtterance) -> None:
        self._utterances.append(utterance)
        if self._on_utterance is not None:
            await self._on_utterance(utterance)

    def transcript(self) -> Transcript:
        if self._ended is None or self._ended.reason is not EndReason.COMPLETED:
            raise RecognitionFailed("The transcription was broken off.")
        return Transcript(tuple(self._utterances), self._ended.received_samples)


def _hole(failed: UtteranceFailed) -> AsrError:
    start, end = (s_from_samples(edge) for edge in (failed.span.start, failed.span.end))
    return _PASSING_FAILURES.get(failed.code, RecognitionFailed)(f"No text for {start}–{end} s: {failed.message}")
