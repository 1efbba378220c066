"""A server with OpenAI's REST interface for speech as a recognizer, be it OpenAI's own or one of the many others."""

import io
import wave
from dataclasses import dataclass

import httpx

from asr_service.domain.ports.recognizer import (
    RecognitionKind,
    RecognitionRequest,
    RecognitionSuperseded,
    RecognizerCapabilities,
    RecognizerUnavailable,
)
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis
from asr_service.infrastructure.asr.batch_observer import BatchObserver
from asr_service.infrastructure.asr.remote.circuit_breaker import CircuitBreaker
from asr_service.infrastructure.asr.remote.openai_answers import LANGUAGE_CODES, error_from, hypothesis_from
from asr_service.infrastructure.asr.remote.remote_calls import CallPolicy, RemoteCalls
from asr_service.infrastructure.asr.remote.request_limits import MAX_SECONDS, check_request
from asr_service.shared.clock import Clock

_MAX_ANSWER_BYTES = 4 << 20  # a minute of talk with its words is 50 kB


@dataclass(frozen=True, slots=True)
class OpenAiServer:
    """Where the server is, and what it can do, which it does not say itself.

    Attributes:
        url: Up to ``/v1``, for example ``https://api.openai.com/v1``.
        api_key: Sent as a bearer token; empty: none.
        model: What to ask for.
        verify_tls: Whether its certificate has to be one that is trusted.
        languages: Those that the model knows.
        word_times: Whether it answers with words and their times (``verbose_json``), as ``whisper-1`` does and OpenAI's newer
            models do not.
        partials: Whether it is asked for partials, each a request with the whole utterance so far.
        connect_timeout_s: Longest wait for a connection.
    """

    url: str
    api_key: str = ""
    model: str = "whisper-1"
    verify_tls: bool = True
    languages: frozenset[str] = frozenset(LANGUAGE_CODES.values())
    word_times: bool = True
    partials: bool = False
    connect_timeout_s: float = 5.0

    def capabilities(self) -> RecognizerCapabilities:
        """There is no field for hotwords that all such servers know, and none for how numbers are written."""
        return RecognizerCapabilities(
            engine="openai-remote",
            model=self.model,
            languages=self.languages,
            word_times=self.word_times,
            hotwords=False,
            prompt=True,
            spoken_numbers=False,
            translation=False,
            max_seconds=MAX_SECONDS,
            partials=self.partials,
        )


class RemoteOpenAiRecognizer:
    """Sends each request as a WAV file of its own.

    How many are under way and how many wait is bounded (``RemoteCalls``). While the server fails, requests are refused at
    once (``CircuitBreaker``).

    Args:
        server: See there.
        breaker: Says whether the server is asked.
        clock: For the time that requests wait.
        policy: How much is asked at once, and how long it may take.
        observer: Is told of requests.
        transport: In place of the network, for tests.
    """

    def __init__(
        self,
        server: OpenAiServer,
        *,
        breaker: CircuitBreaker,
        clock: Clock,
        policy: CallPolicy | None = None,
        observer: BatchObserver | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._server = server
        self._breaker = breaker
        self._policy = policy or CallPolicy()
        self._capabilities = server.capabilities()
        self._calls = RemoteCalls(
            "openai", self._transcription, breaker=breaker, clock=clock, policy=self._policy, observer=observer
        )
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    @property
    def is_ready(self) -> bool:
        """Whether the server would be asked, as far as is known."""
        return self._breaker.is_ready

    @property
    def waiting(self) -> int:
        """Requests that the server has not been given yet."""
        return self._calls.waiting

    async def start(self) -> None:
        """Makes ready; the server is not asked before there is a request, so it may be down."""
        authorization = {"Authorization": f"Bearer {self._server.api_key}"} if self._server.api_key else {}
        self._client = httpx.AsyncClient(
            base_url=self._server.url.rstrip("/") + "/",
            headers=authorization,
            verify=self._server.verify_tls,
            timeout=httpx.Timeout(
                None, connect=self._server.connect_timeout_s
            ),  # RemoteCalls has the deadline of the whole
            limits=httpx.Limits(max_connections=self._policy.at_once),
            transport=self._transport,
        )
        self._calls.start()

    async def close(self) -> None:
        """Answers all that wait with ``RecognizerUnavailable`` and closes every connection. Repeatable."""
        await self._calls.close()
        if self._client is not None:
            await self._client.aclose()

    async def recognize(self, request: RecognitionRequest) -> Hypothesis:
        """See ``Recognizer``. Audio of no samples is silence; what the server cannot do is refused here."""
        check_request(request, self._capabilities)
        if not request.pcm:
            return SILENCE
        if request.kind is RecognitionKind.PARTIAL and not self._server.partials:
            raise RecognitionSuperseded("The server is asked for finals only.")
        return await self._calls.answer(request)

    async def _transcription(self, request: RecognitionRequest) -> Hypothesis:
        assert self._client is not None
        call = self._client.stream(
            "POST",
            "audio/transcriptions",
            data=self._fields(request),
            files={"file": ("utterance.wav", _wav(request.pcm), "audio/wav")},
        )
        try:
            async with call as response:
                if response.status_code != httpx.codes.OK:
                    raise error_from(response.status_code, response.headers.get("Retry-After"))
                return hypothesis_from(await _body(response), request.pcm)
        except httpx.HTTPError as error:
            raise RecognizerUnavailable(f"The server cannot be reached: {type(error).__name__}.") from error

    def _fields(self, request: RecognitionRequest) -> dict[str, str]:
        options = request.options
        with_words = self._server.word_times and options.word_times and request.kind is RecognitionKind.FINAL
        fields = {
            "model": self._server.model,
            "response_format": "verbose_json" if self._server.word_times else "json",
            "temperature": f"{options.temperature:g}",
            "language": options.language or "",
            "prompt": options.prompt or "",
            "timestamp_granularities[]": "word" if with_words else "",
        }
        return {name: value for name, value in fields.items() if value}


async def _body(response: httpx.Response) -> bytes:
    """All of it, unless it is longer than any answer.

    Raises:
        RecognizerUnavailable: It is.
    """
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MAX_ANSWER_BYTES:
            raise RecognizerUnavailable("The server does not answer as OpenAI does.", hint="Check remote.url.")
    return bytes(body)


def _wav(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(BYTES_PER_SAMPLE)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm)
    return buffer.getvalue()
