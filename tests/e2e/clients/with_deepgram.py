"""Recognizes a file with the package deepgram-sdk; prints all messages, as JSON.

Arguments: URL, file, parameters as JSON. The file is sent twice as fast as it was spoken, so that there is time for partials.
"""

import asyncio
import json
import sys
import wave

from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment

url, file, parameters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
ws_url = url.replace("http", "ws", 1)
environment = DeepgramClientEnvironment(base=url, production=ws_url, agent=ws_url, agent_rest=url)
PACKET_BYTES, PACKET_S = 3_200, 0.1 / 2


async def main() -> list[dict]:
    client = AsyncDeepgramClient(api_key="none", environment=environment)
    with wave.open(file, "rb") as recording:
        pcm = recording.readframes(recording.getnframes())
    async with client.listen.v1.connect(**parameters) as connection:
        await connection.send_keep_alive()
        for start in range(0, len(pcm), PACKET_BYTES):
            await connection.send_media(pcm[start : start + PACKET_BYTES])
            await asyncio.sleep(PACKET_S)
        await connection.send_finalize()
        await connection.send_close_stream()
        return [{"class": type(message).__name__, **message.model_dump(mode="json")} async for message in connection]


try:
    print(json.dumps(asyncio.run(main()), ensure_ascii=False))
except ApiError as refusal:
    print(json.dumps({"status": refusal.status_code}))
