"""What a client may choose about its session."""

from dataclasses import dataclass, field
from enum import StrEnum

from asr_service.domain.value_objects.language import Script
from asr_service.shared.errors import InvalidRequest


class SettingNotAllowed(InvalidRequest, ValueError):
    """A choice is outside of what is allowed, by itself or together with another."""


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingNotAllowed(f"{name} is {value}; allowed is {low}–{high}", field=name)


@dataclass(frozen=True, slots=True)
class EndpointingPolicy:
    """When an utterance begins and ends.

    Attributes:
        threshold: Speech probability (0–1) from which a window counts as speech; it counts as silence below
            ``threshold - 0.15`` (the hysteresis of Silero's own iterator), and always below 0.01.
        silence_ms: So much silence ends an utterance.
        min_speech_ms: Less speech than this is a click, not an utterance.
        max_utterance_ms: A longer utterance is cut where it is quietest; at least twice the padding and the minimum
            of speech, so that there is room for a cut.
        prefix_padding_ms: Audio kept before the first speech window, so that soft first sounds are not lost.
        sentence_silence_ms: So much silence, at most ``silence_ms``, ends an utterance whose text so far is a complete
            sentence; ``None``: punctuation ends nothing. The text is known at the earliest when the final that is begun
            in the pause is answered, so with this option the place of an endpoint may depend on how fast the recognizer
            is; without it, it never does.
        on_demand: Whether silence ends nothing: an utterance begins with speech, and ends where that is asked for or at its
            maximum length. The silences above mean nothing then.
    """

    threshold: float = 0.5
    silence_ms: int = 500
    min_speech_ms: int = 96
    max_utterance_ms: int = 25_000
    prefix_padding_ms: int = 300
    sentence_silence_ms: int | None = None
    on_demand: bool = False

    def __post_init__(self) -> None:
        _within("threshold", self.threshold, 0.15, 0.95)
        _within("silence_ms", self.silence_ms, 100, 10_000)
        _within("min_speech_ms", self.min_speech_ms, 32, 2_000)
        _within("max_utterance_ms", self.max_utterance_ms, 2_000, 28_000)
        _within("prefix_padding_ms", self.prefix_padding_ms, 0, 1_000)
        if self.sentence_silence_ms is not None:
            _within("sentence_silence_ms", self.sentence_silence_ms, 100, 10_000)
            if self.sentence_silence_ms > self.silence_ms:
                raise SettingNotAllowed(
                    f"sentence_silence_ms is {self.sentence_silence_ms}; it must not exceed silence_ms,"
                    f" which is {self.silence_ms}",
                    field="sentence_silence_ms",
                )
        shortest = 2 * (self.prefix_padding_ms + self.min_speech_ms)
        if self.max_utterance_ms < shortest:
            raise SettingNotAllowed(
                f"max_utterance_ms is {self.max_utterance_ms}; with this padding and this minimum of speech"
                f" it must be at least {shortest}",
                field="max_utterance_ms",
            )


# In a recording nobody waits for an answer: longer pieces give the recognizer more context for less work.
RECORDING_ENDPOINTING = EndpointingPolicy(silence_ms=1_500)


@dataclass(frozen=True, slots=True)
class PartialPolicy:
    """Whether and how often text is shown while somebody speaks; intervals count audio time.

    Attributes:
        interval_ms: From one partial to the next while the recognizer has time to spare.
        max_interval_ms: The same while it has none. An ``interval_ms`` that is not below it holds whatever the load.
    """

    enabled: bool = True
    interval_ms: int = 300
    max_interval_ms: int = 2_000

    def __post_init__(self) -> None:
        _within("interval_ms", self.interval_ms, 100, 10_000)
        _within("max_interval_ms", self.max_interval_ms, 100, 10_000)

    def interval_at_ms(self, load: float) -> int:
        """The interval in force at a load from 0 (idle) to 1 (saturated); other loads are taken for the nearer of them."""
        stretch_ms = max(0, self.max_interval_ms - self.interval_ms)
        return self.interval_ms + round(stretch_ms * min(1.0, max(0.0, load)))


class Numbers(StrEnum):
    """How numbers are written."""

    AS_RECOGNIZED = "as_recognized"  # in words or in digits, as the engine pleases
    SPOKEN = "spoken"  # in words, as they are said
    WRITTEN = "written"  # in digits, with the signs that belong to them


class Casing(StrEnum):
    """Where capital letters stand."""

    AS_RECOGNIZED = "as_recognized"  # where the engine pleases
    SENTENCE = "sentence"  # where sentences begin
    LOWER = "lower"  # nowhere


class Task(StrEnum):
    """What becomes of speech."""

    TRANSCRIBE = "transcribe"  # text in the language that is spoken
    TRANSLATE = "translate"  # text in English


_FRAMES = (5, 50)  # of a chunk: no partial is asked for more often than each 300 ms; after 3 s it is no stream any more
_MAX_LOOK_BACK = 10  # chunks; each one is kept in every layer, for every utterance that is being spoken


@dataclass(frozen=True, slots=True)
class Chunking:
    """How a streaming model of FunASR's is to go through the audio; ``None`` leaves it to the engine's settings.

    Attributes:
        size: Frames of 60 ms before, in and after a chunk. What lies around is heard with each chunk, so it costs as
            much as the chunk; neither part may be longer than that.
        encoder_look_back: Chunks that the encoder's attention reaches back.
        decoder_look_back: The same of the decoder's.
    """

    size: tuple[int, int, int] | None = None
    encoder_look_back: int | None = None
    decoder_look_back: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            before, frames, after = self.size
            _within("chunk_size", frames, *_FRAMES)
            _within("chunk_size", before, 0, frames)
            _within("chunk_size", after, 0, frames)
        if self.encoder_look_back is not None:
            _within("encoder_chunk_look_back", self.encoder_look_back, 0, _MAX_LOOK_BACK)
        if self.decoder_look_back is not None:
            _within("decoder_chunk_look_back", self.decoder_look_back, 0, _MAX_LOOK_BACK)

    def or_else(self, other: "Chunking") -> "Chunking":
        """The same, and what it leaves open as in the other one."""
        return Chunking(
            other.size if self.size is None else self.size,
            other.encoder_look_back if self.encoder_look_back is None else self.encoder_look_back,
            other.decoder_look_back if self.decoder_look_back is None else self.decoder_look_back,
        )


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """What is asked of the recognizer.

    Attributes:
        language: Code of the spoken language; ``None`` has it detected.
        prompt: Text that precedes the audio, to steer spelling and style.
        hotwords: Words to prefer, most important first.
        script: How Chinese text is to be written.
        word_times: Whether finals carry words with times (it costs an alignment).
        beam_size: Width of the search for finals; ``None`` leaves it to the engine's setting.
        temperature: Sampling temperature; 0 is deterministic.
        numbers: How numbers are to be written.
        task: Whether the text is in the language that is spoken. A translation has no word times: words change their places.
        likely_languages: Codes of the languages of which one is spoken; empty: any may be. For detection only.
        casing: Where capital letters are to stand.
        mask: Whether listed words are to be masked; ``None`` leaves it to the server, and so does ``False`` where clients
            may not choose.
        chunking: How a streaming model is to go through the audio.
    """

    language: str | None = None
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    script: Script = Script.SIMPLIFIED
    word_times: bool = True
    beam_size: int | None = None
    temperature: float = 0.0
    numbers: Numbers = Numbers.AS_RECOGNIZED
    task: Task = Task.TRANSCRIBE
    likely_languages: tuple[str, ...] = ()
    casing: Casing = Casing.AS_RECOGNIZED
    mask: bool | None = None
    chunking: Chunking = Chunking()


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """All that a session is told at its start.

    Attributes:
        name: The client's own label for the stream.
        stored: Whether the session and its finals are kept.
        live: Whether somebody waits while they speak. Then a final is begun in each pause, before it is known that the
            utterance ends there; the answer comes sooner, for some work in vain. A recording is recognized when there is
            time, and half of its pauses end nothing.
        lineup: Name of the models that recognize it; ``None`` until that is decided, when it begins.
    """

    name: str | None = None
    stored: bool = True
    live: bool = True
    options: RecognitionOptions = field(default_factory=RecognitionOptions)
    endpointing: EndpointingPolicy = field(default_factory=EndpointingPolicy)
    partials: PartialPolicy = field(default_factory=PartialPolicy)
    lineup: str | None = None
