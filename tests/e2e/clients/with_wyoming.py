"""Recognizes a file with the package wyoming; prints what the server says, as JSON. Arguments: URI, file, language."""

import asyncio
import json
import sys
import wave

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioStop, wav_to_chunks
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info

uri, file, language = sys.argv[1:]


async def describe() -> Info:
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Describe().event())
        return Info.from_event(await client.read_event())


async def transcribe() -> Transcript:
    """As Home Assistant does it."""
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Transcribe(language=language or None).event())
        with wave.open(file, "rb") as recording:
            for chunk in wav_to_chunks(recording, samples_per_chunk=1_024, start_event=True):
                await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())
        while (event := await client.read_event()) is not None:
            if Transcript.is_type(event.type):
                return Transcript.from_event(event)
    raise RuntimeError("The connection was closed without a transcript.")


(program,) = asyncio.run(describe()).asr
transcript = asyncio.run(transcribe())
print(
    json.dumps(
        {
            "models": [model.name for model in program.models],
            "languages": program.models[0].languages,
            "streaming": program.supports_transcript_streaming,
            "text": transcript.text,
            "language": transcript.language,
        },
        ensure_ascii=False,
    )
)
