"""How likely it is that somebody speaks, window by window."""

from typing import Protocol

from asr_service.shared.errors import AsrError

WINDOW_SAMPLES = 512  # 32 ms at 16 kHz: the window that Silero VAD was trained on
WINDOW_BYTES = 2 * WINDOW_SAMPLES


class VoiceActivityUnavailable(AsrError):
    """The detector cannot be loaded, has failed, or is closed."""

    code = "voice_activity_unavailable"


class VoiceActivityStream(Protocol):
    """The recurrent state of one session. The weights behind it are shared, the state never is.

    The probabilities do not depend on how the stream is cut into calls, nor on what other streams do meanwhile. A
    stream needs no closing; after a call that failed or was cancelled it is of no further use.
    """

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        """Looks at the next stretch of the stream.

        Args:
            pcm: Canonical audio, a whole number of windows (a multiple of ``WINDOW_BYTES``), following on the last call.

        Returns:
            One speech probability in 0–1 per window. Calls on one stream must not overlap.

        Raises:
            ValueError: ``pcm`` is no whole number of windows.
            VoiceActivityUnavailable: The detector failed on these windows, or has been closed.
        """
        ...

    def state(self) -> bytes:
        """What another stream goes on from, with the next window, as this one would; at most 64 KiB. Not during a call."""
        ...


class VoiceActivityDetector(Protocol):
    """Opens streams; cheap, so that every session has its own."""

    def open_stream(self, state: bytes | None = None) -> VoiceActivityStream:
        """A stream at its beginning, or one that goes on from the state of another, of this process or not.

        Raises:
            CheckpointUnusable: The state is damaged, or that of another detector.
        """
        ...
