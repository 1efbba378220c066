"""How likely it is that somebody speaks, window by window."""

from typing import Protocol

WINDOW_SAMPLES = 512  # 32 ms at 16 kHz: the window that Silero VAD was trained on
WINDOW_BYTES = 2 * WINDOW_SAMPLES


class VoiceActivityStream(Protocol):
    """The recurrent state of one session. The weights behind it are shared, the state never is."""

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        """Looks at the next stretch of the stream.

        Args:
            pcm: Canonical audio, a whole number of windows (a multiple of ``WINDOW_BYTES``), following on the last call.

        Returns:
            One speech probability in 0–1 per window. Calls on one stream must not overlap.
        """
        ...


class VoiceActivityDetector(Protocol):
    """Opens streams; cheap, so that every session has its own."""

    def open_stream(self) -> VoiceActivityStream: ...
