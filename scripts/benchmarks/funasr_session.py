"""One exchange of FunASR's protocol, as its many clients hold it: what the stop does to the last word."""

import json

from websockets.asyncio.client import connect

_FRAME_BYTES = 1_920  # 60 ms, as most clients send


async def funasr_text(service_url: str, pcm: bytes, mode: str, language: str) -> str:
    """The text of canonical audio that is sent as fast as the server takes it, and stopped at once.

    Results of a segment replace the increments of ``2pass``; in ``online`` the increments are the text.
    """
    settings = {"mode": mode, "chunk_size": [5, 10, 5], "chunk_interval": 10, "wav_name": "cut", "wav_format": "pcm"}
    wanted = {"2pass": "2pass-offline", "online": "online", "offline": "offline"}[mode]
    text = ""
    async with connect(f"{service_url}/ws", max_size=None, compression=None, proxy=None) as socket:
        await socket.send(json.dumps(settings | {"audio_fs": 16_000, "svs_lang": language, "is_speaking": True}))
        for first in range(0, len(pcm), _FRAME_BYTES):
            await socket.send(pcm[first : first + _FRAME_BYTES])
        await socket.send('{"is_speaking": false}')
        async for frame in socket:
            answer = json.loads(frame)
            if answer["mode"].endswith(wanted):
                text += answer["text"] if mode == "online" or language == "zh" else f" {answer['text']}"
            if answer["is_final"]:
                break
    return text.strip()
