"""Recognizes a file with a speech-to-text service of Pipecat, in a pipeline; prints the frames of its user, as JSON.

Arguments: a piece of Python that makes ``stt`` and perhaps ``vad``, which finds the ends of speech for services that do not;
file, how many transcripts to wait for. The file is spoken twice as fast as real time.
"""

import asyncio
import json
import sys
import wave

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

code, file, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
PACKET_MS, SPEED = 20, 2
SILENCE_S = 3
TIMEOUT_S = 60


class Listener(FrameProcessor):
    """The end of the pipeline.

    Attributes:
        heard: The frames with text, and errors.
        done: Set when there are enough of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[dict] = []
        self.done = asyncio.Event()
        self._finals = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TranscriptionFrame() | InterimTranscriptionFrame():
                self.heard.append({"frame": type(frame).__name__, "text": frame.text})
                self._finals += isinstance(frame, TranscriptionFrame)
                if self._finals == wanted:
                    self.done.set()
            case ErrorFrame():
                self.tell_error(frame)
        await self.push_frame(frame, direction)

    def tell_error(self, frame: ErrorFrame) -> None:
        self.heard.append({"frame": "ErrorFrame", "text": frame.error})
        self.done.set()


async def speak(worker: PipelineWorker) -> None:
    """The file, and silence in which its end is found."""
    with wave.open(file, "rb") as recording:
        rate_hz = recording.getframerate()
        pcm = recording.readframes(recording.getnframes()) + bytes(2 * rate_hz * SILENCE_S)
    packet_bytes = 2 * rate_hz * PACKET_MS // 1_000
    for start in range(0, len(pcm), packet_bytes):
        await worker.queue_frame(InputAudioRawFrame(pcm[start : start + packet_bytes], rate_hz, 1))
        await asyncio.sleep(PACKET_MS / 1_000 / SPEED)


async def main() -> list[dict]:
    names: dict[str, FrameProcessor] = {}
    exec(code, names)
    service, listener = names["stt"], Listener()
    ear = [names["vad"]] if "vad" in names else []
    worker = PipelineWorker(
        Pipeline([*ear, service, listener]),
        params=PipelineParams(audio_in_sample_rate=16_000),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_pipeline_started(_worker: PipelineWorker, _frame: Frame) -> None:
        started.set()

    @service.event_handler("on_error")
    async def on_error(_service: FrameProcessor, frame: ErrorFrame) -> None:
        listener.tell_error(frame)

    async def converse() -> None:
        await started.wait()
        speaking = asyncio.create_task(speak(worker))
        async with asyncio.timeout(TIMEOUT_S):
            await listener.done.wait()
        speaking.cancel()
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), converse())
    return listener.heard


logger.remove()
print(json.dumps(asyncio.run(main()), ensure_ascii=False))
