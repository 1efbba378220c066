"""Recordings become transcripts, or one typed error; and whatever happens, nothing goes on behind."""

import asyncio
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from asr_service.app.services.admission import Admission, ServiceOverloaded
from asr_service.app.services.audio_session_service import SessionLimits
from asr_service.app.services.transcription_service import TranscriptionService
from asr_service.domain.events.session_events import SessionEnded, SessionStarted
from asr_service.domain.ports.audio_decoder import AudioNotDecodable, AudioTooLong, EmptyAudio
from asr_service.domain.ports.recognizer import (
    RecognitionFailed,
    RecognitionKind,
    RecognitionRequest,
    RecognizerOverloaded,
    RecognizerUnavailable,
)
from asr_service.domain.ports.speaker_diarizer import DiarizationFailed, DiarizationUnavailable, SpeakerDiarizer
from asr_service.domain.ports.voice_activity import VoiceActivityUnavailable
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn
from asr_service.domain.value_objects.transcript import Transcript
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from asr_service.shared.errors import AsrError
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fakes.speakers import BrokenDiarizer, LoudnessDiarizer
from tests.fixtures.live_sessions import Studio, silence, utterances
from tests.fixtures.tidiness import open_files

pytestmark = pytest.mark.usefixtures("tidy")


class BrokenDetector:
    """Opens streams that fail."""

    def open_stream(self, state: bytes | None = None) -> "BrokenDetector":
        return self

    def state(self) -> bytes:
        return b""

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        raise VoiceActivityUnavailable("It is closed.")


class Desk:
    """A transcription service, and what it is made of."""

    def __init__(self, studio: Studio, max_sessions: int = 2, diarizer: SpeakerDiarizer | None = None) -> None:
        self.studio = studio
        self.admission = Admission(max_sessions)
        self._service = TranscriptionService(
            decoder=PyAvAudioDecoder(max_file_seconds=30, max_container_bytes=1 << 20, block_seconds=1.0),
            recognizers=studio.directory,
            sessions=studio.service,
            admission=self.admission,
            diarizer=diarizer,
        )

    async def transcribe(
        self, recording: Path, progress: Callable[[float], None] = lambda _: None, *, speakers: bool = False
    ) -> Transcript:
        return await self._service.transcribe(LOCAL_CALLER, recording, SessionConfig(), progress, speakers=speakers)


def _wav(folder: Path, pcm: bytes) -> Path:
    path = folder / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(pcm)
    return path


async def test_a_recording_becomes_its_utterances(tmp_path: Path) -> None:
    studio = Studio()
    progress: list[float] = []
    transcript = await Desk(studio).transcribe(_wav(tmp_path, utterances(2)), progress.append)
    spans = [utterance.span for utterance in transcript.utterances]
    assert [utterance.hypothesis.text for utterance in transcript.utterances] == [
        f"heard {span.start}-{span.end}" for span in spans
    ]
    for span, start in zip(spans, (0, 24_000), strict=True):  # half a second of sound, with what surrounds it
        assert span.start <= start < start + 8_000 <= span.end
    assert transcript.duration_samples == 48_000
    assert progress == sorted(progress)
    assert progress[-1] == 3.0


async def test_nobody_is_shown_partials_and_nothing_is_kept(tmp_path: Path) -> None:
    studio = Studio()
    await Desk(studio).transcribe(_wav(tmp_path, utterances(2)))
    assert {request.kind for request in studio.recognizer.requests} == {RecognitionKind.FINAL}
    assert [event.config.stored for event in studio.publisher.of_type(SessionStarted)] == [False]


async def test_silence_is_a_transcript_without_text(tmp_path: Path) -> None:
    transcript = await Desk(Studio()).transcribe(_wav(tmp_path, silence(1_500)))
    assert (transcript.utterances, transcript.text, transcript.language) == ((), "", None)
    assert transcript.duration_samples == 24_000


async def test_an_utterance_in_which_no_word_is_heard_leaves_no_trace(tmp_path: Path) -> None:
    studio = Studio(recognizer=FakeRecognizer(lambda request: "" if request.utterance == 0 else "word"))
    transcript = await Desk(studio).transcribe(_wav(tmp_path, utterances(2)))
    assert transcript.text == "word"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EmptyAudio),
        (b"no recording at all" * 50, AudioNotDecodable),
        (None, FileNotFoundError),
    ],
)
async def test_what_cannot_be_read_is_told_as_what_it_is(
    tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    path = tmp_path / "talk.mp3"
    if content is not None:
        path.write_bytes(content)
    desk = Desk(Studio())
    with pytest.raises(error):
        await desk.transcribe(path)
    assert desk.admission.active == 0
    assert desk.studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED


async def test_a_recording_that_turns_out_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioTooLong):
        await Desk(Studio()).transcribe(_wav(tmp_path, silence(31_000)))


def _fails_with(error: AsrError) -> Callable[[RecognitionRequest], Answer]:
    return lambda request: error if request.utterance == 1 else "word"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RecognitionFailed("The engine died twice."), RecognitionFailed),
        (RecognizerOverloaded("The queue is full."), RecognizerOverloaded),
        (RecognizerUnavailable("All workers are restarting."), RecognizerUnavailable),
    ],
)
async def test_a_hole_in_the_transcript_is_an_error_that_says_where(
    tmp_path: Path, error: AsrError, raised: type[AsrError]
) -> None:
    desk = Desk(Studio(recognizer=FakeRecognizer(_fails_with(error))))
    with pytest.raises(raised, match=rf"^No text for 1\.\d+–2\.\d+ s: {error.message}$"):
        await desk.transcribe(_wav(tmp_path, utterances(3)))
    assert desk.admission.active == 0


async def test_when_all_places_are_taken_the_recording_is_not_even_opened(tmp_path: Path) -> None:
    desk = Desk(Studio(), max_sessions=1)
    with desk.admission.admit(LOCAL_CALLER), pytest.raises(ServiceOverloaded):
        await desk.transcribe(tmp_path / "missing.wav")
    assert desk.studio.publisher.events == []


async def test_a_detector_that_fails_stops_the_reading_too(tmp_path: Path) -> None:
    desk = Desk(Studio(detector=BrokenDetector()))
    with pytest.raises(VoiceActivityUnavailable):
        await desk.transcribe(_wav(tmp_path, utterances(10)))
    assert desk.admission.active == 0


async def test_a_transcription_that_is_cancelled_stops_everything(tmp_path: Path) -> None:
    # The recognizer never answers, and the recording is longer than what may wait: reading stands still as well.
    desk = Desk(Studio(limits=SessionLimits(max_waiting_bytes=50_000, max_owed_finals_of_recording=1)))
    desk.studio.recognizer.hold()
    recording = _wav(tmp_path, utterances(10))
    working = asyncio.create_task(desk.transcribe(recording))
    await desk.studio.recognizer.wait_for_requests(1)
    assert str(recording) in open_files()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert str(recording) not in open_files()
    assert desk.admission.active == 0
    assert desk.studio.recognizer.withdrawn
    assert desk.studio.publisher.of_type(SessionEnded)[0].reason is EndReason.DISCONNECTED


async def test_a_session_that_gives_up_leaves_no_half_transcript(tmp_path: Path) -> None:
    studio = Studio(limits=SessionLimits(drain_deadline_s=0.0))
    with pytest.raises(RecognitionFailed):
        await Desk(studio).transcribe(_wav(tmp_path, utterances(1)))


# --- speakers


async def test_who_speaks_is_told_if_that_is_asked(tmp_path: Path) -> None:
    desk = Desk(Studio(), diarizer=LoudnessDiarizer())
    recording = _wav(tmp_path, utterances(1))
    assert (await desk.transcribe(recording)).turns is None
    assert (await desk.transcribe(recording, speakers=True)).turns == (SpeakerTurn(SampleSpan(0, 8_000), 0),)


async def test_without_a_diarizer_speakers_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    desk = Desk(Studio())
    with pytest.raises(DiarizationUnavailable):
        await desk.transcribe(_wav(tmp_path, utterances(1)), speakers=True)
    assert desk.studio.publisher.of_type(SessionStarted) == []
    assert desk.admission.active == 0


async def test_where_speakers_cannot_be_told_apart_nothing_is_recognized(tmp_path: Path) -> None:
    desk = Desk(Studio(), diarizer=BrokenDiarizer())
    with pytest.raises(DiarizationFailed):
        await desk.transcribe(_wav(tmp_path, utterances(1)), speakers=True)
    assert desk.studio.publisher.of_type(SessionStarted) == []
    assert desk.admission.active == 0


@pytest.mark.parametrize("content", [b"", b"no recording at all" * 50])
async def test_what_cannot_be_read_is_the_same_error_with_speakers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(content)
    before = open_files()
    with pytest.raises((EmptyAudio, AudioNotDecodable)):
        await Desk(Studio(), diarizer=LoudnessDiarizer()).transcribe(path, speakers=True)
    assert open_files() == before
