"""Transcribes audio with the package openai, over its Realtime interface; prints the events that its user gets, as JSON.

Argument: a JSON object with ``url`` (of the API, ends in ``/v1``), ``beta``, ``query``, ``session`` (what to update, or
null), ``audio`` (files of raw audio), ``commit`` (whether to commit after each file) and ``items`` (how many to wait for).
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

PACKET_BYTES = 4_800  # 100 ms of PCM at 24 kHz
ENDINGS = (
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "error",
)

job = json.loads(sys.argv[1])
recordings = [Path(file).read_bytes() for file in job["audio"]]


def connection(client: AsyncOpenAI) -> Any:
    if job["beta"]:
        return client.beta.realtime.connect(model=job["query"]["model"], extra_query=job["query"])
    return client.realtime.connect(extra_query=job["query"])


async def update(socket: Any) -> None:
    if job["beta"]:
        await socket.transcription_session.update(session=job["session"])
    else:
        await socket.session.update(session=job["session"])


async def send(socket: Any) -> None:
    for audio in recordings:
        for start in range(0, len(audio), PACKET_BYTES):
            packet = audio[start : start + PACKET_BYTES]
            await socket.input_audio_buffer.append(audio=base64.b64encode(packet).decode())
        if job["commit"]:
            await socket.input_audio_buffer.commit()


async def main() -> list[Any]:
    socket_url = job["url"].replace("http", "ws", 1)
    client = AsyncOpenAI(base_url=job["url"], api_key="any", websocket_base_url=socket_url)
    events = []
    async with connection(client) as socket:
        events.append(await socket.recv())
        if job["session"] is not None:
            await update(socket)
        sending = asyncio.create_task(send(socket))
        items = 0
        while items < job["items"]:
            events.append(await socket.recv())
            items += events[-1].type in ENDINGS
        await sending
    await client.close()
    return [checked(event) for event in events]


def checked(event: Any) -> dict[str, Any]:
    """An event whose fields are all there, with values that the package's own models allow: it does not look by itself."""
    fields: dict[str, Any] = event.to_dict()
    # Of these two the package has no model, or one that demands what only answers of the REST interface have.
    if event.type not in ("transcription_session.created", "transcription_session.updated"):
        type(event).model_validate(fields)
    return fields


print(json.dumps(asyncio.run(main()), ensure_ascii=False))
