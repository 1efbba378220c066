"""The audio of a stream that may still be needed."""

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SampleSpan


class AudioBuffer:
    """Canonical audio, addressed by its position in the stream; what is forgotten is never asked for again."""

    def __init__(self, start: int = 0, taken: int = 0) -> None:
        """Begins with the sample at ``start``; what lies before ``taken`` is not handed out as windows."""
        self._pcm = bytearray()
        self._start = start  # position of its first sample
        self._taken = taken  # samples handed out as windows, padding included

    @property
    def end(self) -> int:
        """Samples received so far."""
        return self._start + len(self._pcm) // BYTES_PER_SAMPLE

    def append(self, pcm: bytes) -> None:
        """Takes the next audio: whole samples, any number of them."""
        self._pcm += pcm

    def take_windows(self, *, padded: bool) -> bytes:
        """The whole windows that have not been taken yet; ``padded``: and the rest, zeros after it up to a whole one."""
        available = max(0, self.end - self._taken)
        whole = available - available % WINDOW_SAMPLES
        windows = self.part(SampleSpan(self._taken, self._taken + whole))
        if padded and available > whole:
            rest = self.part(SampleSpan(self._taken + whole, self.end))
            windows += rest.ljust(WINDOW_BYTES, b"\0")
        self._taken += len(windows) // BYTES_PER_SAMPLE
        return windows

    def part(self, span: SampleSpan) -> bytes:
        """A copy of the audio of a span that has been received and not forgotten."""
        first = (span.start - self._start) * BYTES_PER_SAMPLE
        return bytes(self._pcm[first : first + len(span) * BYTES_PER_SAMPLE])

    def forget_before(self, position: int) -> None:
        """Frees what lies before the position."""
        if position > self._start:
            del self._pcm[: (position - self._start) * BYTES_PER_SAMPLE]
            self._start = position

    def forget_all(self) -> None:
        """Frees everything; the positions stay."""
        self.forget_before(self.end)
