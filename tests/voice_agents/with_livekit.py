"""Recognizes a file with a speech-to-text plugin of LiveKit Agents; prints what its user gets, as JSON.

Arguments: a piece of Python that makes ``stt``, file, how many finals to wait for (0: the file is recognized as a whole).
A stream is spoken twice as fast as real time, so that there is time for partials.
"""

import asyncio
import json
import sys
import wave
from collections.abc import Iterator
from contextlib import aclosing

from livekit import rtc
from livekit.agents import stt, utils

code, file, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
FRAME_MS, SPEED = 20, 2
SILENCE_S = 2
TIMEOUT_S = 60


def frames() -> Iterator[rtc.AudioFrame]:
    """The file, and silence in which its end is found."""
    with wave.open(file, "rb") as recording:
        rate_hz = recording.getframerate()
        pcm = recording.readframes(recording.getnframes()) + bytes(2 * rate_hz * SILENCE_S)
    samples = rate_hz * FRAME_MS // 1_000
    for start in range(0, len(pcm) - 2 * samples + 1, 2 * samples):
        yield rtc.AudioFrame(pcm[start : start + 2 * samples], rate_hz, 1, samples)


async def speak(stream: stt.SpeechStream) -> None:
    for frame in frames():
        stream.push_frame(frame)
        await asyncio.sleep(FRAME_MS / 1_000 / SPEED)


async def listen(speech_to_text: stt.STT) -> list[dict]:
    events: list[dict] = []
    async with aclosing(speech_to_text.stream()) as stream:
        speaking = asyncio.create_task(speak(stream))
        async for event in stream:
            events.append(as_json(event))
            if is_complete(events):
                break
        speaking.cancel()
    return events


def is_complete(events: list[dict]) -> bool:
    """Whether all finals are there, and nobody is taken to speak."""
    kinds = [event["type"] for event in events]
    return kinds.count("final_transcript") == wanted and kinds.count("start_of_speech") == kinds.count("end_of_speech")


def as_json(event: stt.SpeechEvent) -> dict:
    best = event.alternatives[0] if event.alternatives else None
    words = [[str(word), word.start_time, word.end_time] for word in best.words or []] if best else []
    text, language = (best.text, str(best.language)) if best else ("", "")
    return {"type": str(event.type.value), "text": text, "language": language, "words": words}


async def main() -> list[dict]:
    async with utils.http_context.open(), asyncio.timeout(TIMEOUT_S):
        names: dict[str, stt.STT] = {}
        exec(code, names)
        speech_to_text = names["stt"]
        try:
            if wanted:
                return await listen(speech_to_text)
            return [as_json(await speech_to_text.recognize(list(frames())))]
        finally:
            await speech_to_text.aclose()


print(json.dumps(asyncio.run(main()), ensure_ascii=False))
