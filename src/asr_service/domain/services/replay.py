"""From where a client has to send its audio again."""

from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat, samples_from_ms

# A whole number of samples at every usual rate, 11,025 Hz included; so a client can count in its own samples.
REPLAY_STEP_MS = 40
WARM_UP_MS = 120  # a resampler that begins anew is itself again after its filter's length, which is less


def is_replayable(audio_format: AudioFormat) -> bool:
    """Whether audio of this format can be read from its middle: raw samples can, a container cannot.

    Opus cannot either: a decoder that begins in the middle gives other samples than one that has heard what came before,
    and they come near each other only with time (RFC 7845, section 4.6, has 80 ms of them thrown away).
    """
    return audio_format.encoding not in (AudioEncoding.CONTAINER, AudioEncoding.OPUS)


def audio_from_ms(replay_from: int) -> int:
    """Milliseconds from which on the audio is needed, so that a decoder gives what lies from this sample on."""
    before = max(0, replay_from - samples_from_ms(WARM_UP_MS))
    return before // samples_from_ms(REPLAY_STEP_MS) * REPLAY_STEP_MS
