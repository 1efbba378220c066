"""From where a client has to send its audio again."""

from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat, samples_from_ms

# A whole number of samples at every usual rate, 11,025 Hz included; so a client can count in its own samples.
REPLAY_STEP_MS = 40
WARM_UP_MS = 120  # a resampler that begins anew is itself again after its filter's length, which is less


def is_replayable(audio_format: AudioFormat) -> bool:
    """Whether audio of this format can be read from its middle: raw samples can, a container cannot."""
    return audio_format.encoding is not AudioEncoding.CONTAINER


def audio_from_ms(replay_from: int) -> int:
    """Milliseconds from which on the audio is needed, so that a decoder gives what lies from this sample on."""
    before = max(0, replay_from - samples_from_ms(WARM_UP_MS))
    return before // samples_from_ms(REPLAY_STEP_MS) * REPLAY_STEP_MS
