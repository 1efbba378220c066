"""Tells speakers apart with sherpa-onnx: where voices change, how each sounds, which are alike; of the extra ``sherpa``."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

import structlog

from asr_service.domain.ports.audio_decoder import AudioTooLong, NoRoomForAudio
from asr_service.domain.ports.model_store import ModelMissing, ModelUnsuitable
from asr_service.domain.ports.recognizer import EngineNotInstalled
from asr_service.domain.ports.speaker_diarizer import DiarizationFailed, DiarizerOverloaded
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.speaker_turn import SpeakerTurn, in_order_of_appearance
from asr_service.infrastructure.asr.sherpa.diarization_process import UNSUITABLE_HINT, DiarizationPlan
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

_PROGRAM: Final = (sys.executable, "-P", "-m", "asr_service.infrastructure.asr.sherpa.diarization_process")
_MODEL_FILE: Final = "model.onnx"  # of a folder, as sherpa-onnx's releases have it
_OUTPUT_TAIL_BYTES: Final = 4_096  # enough for what sherpa-onnx says before it ends
_GRACE_S: Final = 120.0  # for the start of the process, on a machine that has other work
_SLOWEST: Final = 2.0  # times the length of the recording; whoever asked is not there any more
_RETRY_AFTER_S: Final = 30.0
_ERRORS: Final[Mapping[str, type[AsrError]]] = MappingProxyType(
    {kind.code: kind for kind in (EngineNotInstalled, ModelUnsuitable, DiarizationFailed)}
)


class _ProcessDied(Exception):
    """It ended without an answer, or had to be killed."""


class SherpaSpeakerDiarizer:
    """Works on one recording at a time, each in a process of its own, which is killed when its caller is cancelled.

    sherpa-onnx holds Python's lock while it works, ends the process when a model is of the wrong kind, and wants all of the
    audio in memory: none of that may happen to the gateway, and the memory is given back. What it costs is a start.
    A file without a name carries the audio, so that of a recording that waits or is worked on the gateway has one block.

    Args:
        plan: The models, and how they are used.
        max_seconds: Longest recording.
        max_waiting: Recordings that may wait for their turn; further ones are refused.
        program: The command of the process, to which the plan is added.
    """

    def __init__(
        self,
        plan: DiarizationPlan,
        *,
        max_seconds: float,
        max_waiting: int = 16,
        program: Sequence[str] = _PROGRAM,
    ) -> None:
        self._plan = plan
        self.max_waiting = max_waiting
        self._max_seconds = max_seconds
        self._program = program
        self._present = 0
        self._one_at_a_time = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """Recordings that wait for their turn."""
        return max(0, self._present - 1)

    async def check(self) -> None:
        """Returns if the models can be loaded, and work on a second of silence.

        Raises:
            EngineNotInstalled: sherpa-onnx is not there.
            ModelUnsuitable: The models are not what they should be.
        """
        with _spool() as file:
            await _write(file, bytes(SAMPLE_RATE_HZ * BYTES_PER_SAMPLE))
            try:
                await self._turns_in(file, 1.0)
            except _ProcessDied as death:
                said = f"The models for speakers cannot be used: {death}"
                raise ModelUnsuitable(said, hint=UNSUITABLE_HINT) from death

    async def diarize(self, blocks: AsyncIterator[bytes]) -> tuple[SpeakerTurn, ...]:
        """See ``SpeakerDiarizer``."""
        with self._place():
            async with self._one_at_a_time:
                with _spool() as file:
                    seconds = await self._keep(blocks, file)
                    try:
                        return await self._turns_in(file, seconds) if seconds else ()
                    except _ProcessDied as death:
                        raise DiarizationFailed(f"Speakers could not be told apart: {death}") from death

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._present > self.max_waiting:
            raise DiarizerOverloaded("Too many recordings wait for their speakers.", retry_after_s=_RETRY_AFTER_S)
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1

    async def _keep(self, blocks: AsyncIterator[bytes], file: IO[bytes]) -> float:
        """Writes the audio into the file; returns its length in seconds."""
        seconds = 0.0
        async for block in blocks:
            seconds += len(block) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ
            if seconds > self._max_seconds:
                raise AudioTooLong(
                    f"Speakers are told apart in recordings of up to {self._max_seconds:g} s.",
                    hint="Send it in shorter parts, or ask for a format without speakers.",
                )
            await _write(file, block)
        return seconds

    async def _turns_in(self, file: IO[bytes], seconds: float) -> tuple[SpeakerTurn, ...]:
        answer = await self._answer(file, _GRACE_S + _SLOWEST * seconds)
        if (told := answer.get("error")) is not None:
            raise _ERRORS.get(told["code"], DiarizationFailed)(told["message"], hint=told["hint"])
        turns = (SpeakerTurn(SampleSpan(start, end), speaker) for start, end, speaker in answer["turns"])
        return in_order_of_appearance(turns)

    async def _answer(self, file: IO[bytes], timeout_s: float) -> dict[str, Any]:
        """What the process says.

        Raises:
            _ProcessDied: It says nothing.
        """
        file.seek(0)
        process = await asyncio.create_subprocess_exec(
            *self._program,
            self._plan.to_json(),
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # NumPy would start a thread for each CPU
            start_new_session=True,  # Ctrl-C is for the gateway, which decides what is still finished
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(timeout_s):
                told, output = await asyncio.gather(process.stdout.read(), _tail(process.stderr))
                exit_code = await process.wait()
        except TimeoutError:
            raise _ProcessDied(f"there was no answer within {timeout_s:g} s.") from None
        finally:
            await _killed(process)
        try:
            answer: dict[str, Any] = json.loads(told)
        except ValueError:
            last_words = output.decode("utf-8", "replace") or None
            log.warning("diarization_process_died", exit_code=exit_code, output=last_words)
            raise _ProcessDied(f"the process ended with exit code {exit_code}.") from None
        return answer


def model_file(path: Path, setting: str) -> Path:
    """The file of a model that is named by itself or by its folder.

    Raises:
        ModelMissing: There is none.
    """
    file = path / _MODEL_FILE if path.is_dir() else path
    if not file.is_file():
        raise ModelMissing(
            f"There is no model for speakers at {file}.",
            hint=f"Let {setting} name its file, or a folder with a {_MODEL_FILE}; empty, speakers are not told apart.",
        )
    return file


@contextmanager
def _spool() -> Iterator[IO[bytes]]:
    """A file that is gone when it is closed.

    Raises:
        NoRoomForAudio: There is nowhere to make it.
    """
    try:
        file = tempfile.TemporaryFile(buffering=0, prefix="asr-speakers-")  # noqa: SIM115 - closed below
    except OSError as error:
        raise _no_room(error) from error
    with file:
        yield file


async def _write(file: IO[bytes], data: bytes) -> None:
    try:
        await asyncio.to_thread(_write_all, file, data)
    except OSError as error:
        raise _no_room(error) from error


def _write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _no_room(error: OSError) -> AsrError:
    return NoRoomForAudio(f"The recording cannot be kept until its speakers are told apart: {error.strerror}.")


async def _tail(stream: asyncio.StreamReader) -> bytes:
    tail = b""
    while chunk := await stream.read(_OUTPUT_TAIL_BYTES):
        tail = (tail + chunk)[-_OUTPUT_TAIL_BYTES:]
    return tail


async def _killed(process: asyncio.subprocess.Process) -> None:
    """Leaves neither the process nor a zombie of it."""
    with suppress(ProcessLookupError):  # it has just ended
        if process.returncode is None:
            process.kill()
    await process.wait()
