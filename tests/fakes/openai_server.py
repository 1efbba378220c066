"""OpenAI's transcription endpoint without a model and without a network: it hears how long a recording is."""

import email
import email.policy
import io
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import httpx

FAIL = "fail"  # as a prompt: the recording cannot be processed


@dataclass(frozen=True)
class Upload:
    """What a client has sent: its fields, and the samples of its WAV file."""

    fields: dict[str, str]
    pcm: bytes
    authorization: str | None
    path: str


Reply: TypeAlias = Callable[[Upload], httpx.Response]


def heard(upload: Upload) -> httpx.Response:
    """A word that tells the number of samples; nothing for silence, and an error where the prompt wants one."""
    if upload.fields.get("prompt") == FAIL:
        return httpx.Response(
            400, json={"error": {"message": "It is scripted to fail.", "type": "invalid_request_error"}}
        )
    samples = len(upload.pcm) // 2
    if not any(upload.pcm):
        return httpx.Response(200, json={"text": "", "language": "english", "words": []})
    words = [{"word": f"heard{samples}", "start": 0.0, "end": samples / 16_000}]
    return httpx.Response(200, json={"text": f"heard{samples}.", "language": "english", "words": words})


class OpenAiEndpoint(httpx.MockTransport):
    """Answers by ``reply``; ``uploads`` are what was sent."""

    def __init__(self, reply: Reply = heard) -> None:
        self.uploads: list[Upload] = []
        self.reply = reply
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        upload = _read(request)
        self.uploads.append(upload)
        return self.reply(upload)


def _read(request: httpx.Request) -> Upload:
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.read(), policy=email.policy.HTTP)
    fields: dict[str, str] = {}
    pcm = b""
    for part in message.iter_parts():
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if name == "file":
            with wave.open(io.BytesIO(content)) as file:
                assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
                pcm = file.readframes(file.getnframes())
        else:
            fields[str(name)] = content.decode()
    return Upload(fields, pcm, request.headers.get("Authorization"), request.url.path)
