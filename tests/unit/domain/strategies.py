"""Random material for sessions: who speaks when, how audio is cut, what a client chooses."""

from hypothesis import strategies as st

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, PartialPolicy, SessionConfig

# Clear silence, both sides of the hysteresis, just speech, clear speech.
PROBABILITIES = st.sampled_from([0.01, 0.2, 0.34, 0.36, 0.45, 0.5, 0.6, 0.97])

_RUNS = st.tuples(st.sampled_from([0.01, 0.01, 0.4, 0.6, 0.97, 0.97]), st.integers(1, 40))
_LOOSE_WINDOWS = st.lists(PROBABILITIES, max_size=6)


@st.composite
def tracks(draw: st.DrawFn) -> list[float]:
    """Speech probabilities: long stretches of speech and silence with restless windows between them."""
    track: list[float] = []
    for probability, windows in draw(st.lists(_RUNS, max_size=12)):
        track += [probability] * windows + draw(_LOOSE_WINDOWS)
    return track


@st.composite
def endpointing_policies(draw: st.DrawFn) -> EndpointingPolicy:
    """Policies whose pauses, endpoints and cuts all happen within a few seconds."""
    return EndpointingPolicy(
        silence_ms=draw(st.sampled_from([100, 200, 250, 500])),
        min_speech_ms=draw(st.sampled_from([32, 96, 250])),
        max_utterance_ms=draw(st.sampled_from([2_000, 2_013, 4_000])),
        prefix_padding_ms=draw(st.sampled_from([0, 50, 300, 700])),
    )


PARTIAL_POLICIES = st.builds(
    PartialPolicy,
    enabled=st.sampled_from([True, True, False]),
    interval_ms=st.sampled_from([100, 250, 600]),
    max_interval_ms=st.sampled_from([100, 600, 2_000]),
)
CONFIGS = st.builds(SessionConfig, endpointing=endpointing_policies(), partials=PARTIAL_POLICIES)

# Nothing, a few samples, around one window; mostly many windows.
PACKET_SAMPLES = st.one_of(
    st.integers(0, 3),
    st.integers(WINDOW_SAMPLES - 1, WINDOW_SAMPLES + 1),
    st.integers(1, 10 * WINDOW_SAMPLES),
    st.integers(5 * WINDOW_SAMPLES, 40 * WINDOW_SAMPLES),
)
PACKETS = st.lists(PACKET_SAMPLES, max_size=12)
LAST_WINDOW_SAMPLES = st.one_of(st.just(0), st.just(1), st.integers(0, WINDOW_SAMPLES - 1))
