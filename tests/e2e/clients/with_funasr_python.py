"""Recognizes a WAV file with the package funasr-python; prints what its user gets, as JSON. Arguments: URL, file, mode."""

import asyncio
import json
import sys
import wave
from collections.abc import AsyncIterator

from funasr_client import AsyncFunASRClient, AsyncSimpleCallback, ClientConfig, RecognitionMode

url, file, mode = sys.argv[1:]
received: dict[str, list[str]] = {"partial": [], "final": [], "error": []}


async def frames() -> AsyncIterator[bytes]:
    with wave.open(file, "rb") as audio:
        while frame := audio.readframes(160):  # 10 ms, as the package cuts files
            yield frame


async def keep_partial(result) -> None:
    received["partial"].append(result.text)


async def keep_final(result) -> None:
    received["final"].append(result.text)


async def keep_error(error) -> None:
    received["error"].append(str(error))


async def main() -> None:
    client = AsyncFunASRClient(config=ClientConfig(server_url=url, mode=RecognitionMode(mode)))
    callback = AsyncSimpleCallback(on_partial=keep_partial, on_final=keep_final, on_error=keep_error)
    try:
        await client.recognize_stream(frames(), callback)
    finally:
        await client.close()


asyncio.run(main())
print(json.dumps(received, ensure_ascii=False))
