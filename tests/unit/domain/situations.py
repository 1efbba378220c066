"""Sessions in the situations that most examples begin with."""

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, PartialPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from tests.unit.domain.session_driver import SessionDriver

W = WINDOW_SAMPLES
SPEECH, QUIET = 0.95, 0.01
TAIL = 3_200  # 200 ms

ENDPOINTING = EndpointingPolicy(silence_ms=320, min_speech_ms=96, max_utterance_ms=2_000, prefix_padding_ms=64)
CONFIG = SessionConfig(endpointing=ENDPOINTING, partials=PartialPolicy(interval_ms=320))
NO_PARTIALS = SessionConfig(endpointing=ENDPOINTING, partials=PartialPolicy(enabled=False))


def listening(config: SessionConfig = CONFIG) -> SessionDriver:
    return SessionDriver(config=config).open()


def speaking(config: SessionConfig = CONFIG) -> SessionDriver:
    """A session in the middle of its first utterance, which begins at sample 4096, and of no partial."""
    driver = listening(config)
    driver.push_windows((QUIET, 10), (SPEECH, 5))
    return driver


def paused(config: SessionConfig = CONFIG) -> SessionDriver:
    """A session whose speaker has paused; the speculative final for ``PAUSED_SPAN`` is waiting."""
    driver = speaking(config)
    driver.push_windows((QUIET, 7))
    return driver


PAUSED_SPAN = SampleSpan(8 * W, 15 * W + TAIL)
