"""The decoder streams of streaming engines between the requests of an utterance: a bounded cache, never the truth."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from asr_service.domain.ports.recognizer import RecognitionRequest
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE

StreamT = TypeVar("StreamT")
_Key: TypeAlias = tuple[str, str, int]


@dataclass(slots=True)
class FedStream(Generic[StreamT]):
    """A decoder stream, and how much of its utterance it has heard.

    Attributes:
        stream: The engine's own.
        fed_samples: Counted from the start of the utterance; whoever feeds the stream counts on.
    """

    stream: StreamT
    fed_samples: int = 0


@dataclass(frozen=True, slots=True)
class _Kept(Generic[StreamT]):
    fed: FedStream[StreamT]
    heard: bytes  # digest of the audio that was fed
    options: RecognitionOptions
    size_bytes: int


class StreamCache(Generic[StreamT]):
    """Keeps a stream for each utterance that is being spoken, those that were used last.

    A request carries all audio of its utterance so far. The stream that has heard the beginning of that audio, and nothing
    else, spares feeding it again; without one, a new stream is fed from the start and comes to the same. So what is kept here
    changes how long an answer takes, and never what it is: the audio is compared by its digest, and the options have to be
    the same.

    A stream is in one place: ``take`` gives it away, so that one that was left half-fed by an exception is gone.

    Args:
        max_streams: Most streams that are kept.
        max_bytes: Most memory that they may take, as far as ``put`` was told. The longest unused go first.
    """

    def __init__(self, max_streams: int, max_bytes: int) -> None:
        self._max_streams = max_streams
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, _Kept[StreamT]] = OrderedDict()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def take(self, request: RecognitionRequest) -> FedStream[StreamT] | None:
        """The stream that has heard the beginning of this request's audio, the caller's from now on; ``None``: there is none.

        A stream of the same utterance that heard something else, or more, is of no use any more and is dropped.
        """
        kept = self._remove(_key(request))
        if kept is None or kept.options != request.options:
            return None
        return kept.fed if _digest(request.pcm, kept.fed.fed_samples) == kept.heard else None

    def put(self, request: RecognitionRequest, fed: FedStream[StreamT], size_bytes: int) -> None:
        """Keeps the stream for the next request of the utterance.

        Args:
            request: From which the stream was fed last.
            fed: It has heard the first ``fed_samples`` of the request's audio.
            size_bytes: What it holds, roughly.
        """
        self._remove(_key(request))
        heard = _digest(request.pcm, fed.fed_samples)
        self._kept[_key(request)] = _Kept(fed, heard, request.options, size_bytes)
        self._size_bytes += size_bytes
        while len(self._kept) > self._max_streams or self._size_bytes > self._max_bytes:
            self._remove(next(iter(self._kept)))

    def _remove(self, key: _Key) -> _Kept[StreamT] | None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size_bytes -= kept.size_bytes
        return kept


def _key(request: RecognitionRequest) -> _Key:
    return request.tenant, request.session_id, request.utterance


def _digest(pcm: bytes, samples: int) -> bytes:
    """Of so many samples at the start; at about 1 GB/s, a millisecond for the longest utterance."""
    return hashlib.blake2b(memoryview(pcm)[: samples * BYTES_PER_SAMPLE], digest_size=16).digest()
