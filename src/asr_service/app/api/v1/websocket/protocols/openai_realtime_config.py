"""What holds for a session of OpenAI's Realtime interface, and how it is told: in the shapes of its beta and of today."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, AudioEncoding, AudioFormat

Kind = Literal["transcription", "realtime"]
Eagerness = Literal["low", "medium", "high", "auto"]

PCM: Final = "audio/pcm"
PCM_RATE_HZ = 24_000  # the only one of the original
G711: Final = {"audio/pcmu": AudioEncoding.MULAW, "audio/pcma": AudioEncoding.ALAW}
BETA_FORMATS: Final = {"pcm16": PCM, "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}

# How long a semantic turn detection waits for somebody to go on, at most (OpenAI's guide to voice activity detection).
PATIENCE_MS: Final[dict[Eagerness, int]] = {"low": 8_000, "medium": 4_000, "auto": 4_000, "high": 2_000}


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the server finds the ends of utterances; its numbers are in the ranges of ``EndpointingPolicy``.

    Attributes:
        eagerness: Of a semantic one, else ``None``: an utterance ends sooner after a complete sentence.
    """

    threshold: float
    prefix_padding_ms: int
    silence_ms: int
    eagerness: Eagerness | None = None

    @classmethod
    def of(cls, policy: EndpointingPolicy) -> Self:
        """The detection that a policy stands for."""
        return cls(policy.threshold, policy.prefix_padding_ms, policy.silence_ms)

    def policy(self, server: EndpointingPolicy) -> EndpointingPolicy:
        """The same, as the domain knows it; what clients cannot say is as the server's settings have it."""
        sentence_ms = server.sentence_silence_ms
        silence_ms = self.silence_ms
        if self.eagerness is not None:
            silence_ms = PATIENCE_MS[self.eagerness]
            sentence_ms = min(server.sentence_silence_ms or server.silence_ms, silence_ms)
        elif sentence_ms is not None and sentence_ms > silence_ms:
            sentence_ms = None  # it would shorten nothing
        return replace(
            server,
            threshold=self.threshold,
            prefix_padding_ms=self.prefix_padding_ms,
            silence_ms=silence_ms,
            sentence_silence_ms=sentence_ms,
            on_demand=False,
        )

    def to_json(self) -> dict[str, Any]:
        """What is in force."""
        if self.eagerness is not None:
            return {"type": "semantic_vad", "eagerness": self.eagerness}
        return {
            "type": "server_vad",
            "threshold": self.threshold,
            "prefix_padding_ms": self.prefix_padding_ms,
            "silence_duration_ms": self.silence_ms,
        }


@dataclass(frozen=True, slots=True)
class RealtimeConfig:
    """What holds for a session.

    Attributes:
        kind: What the client takes it for; a conversation is used for its transcripts alone.
        format_type: As the client names it today, for example ``audio/pcm``.
        rate_hz: Samples per second of its audio.
        model: The name by which the client asks for the loaded model.
        languages: What the client expects; only a single one is a wish that can be fulfilled.
        turn_detection: ``None``: utterances end where the client commits them.
    """

    model: str
    options: RecognitionOptions
    turn_detection: TurnDetection | None
    kind: Kind = "transcription"
    format_type: str = PCM
    rate_hz: int = PCM_RATE_HZ
    languages: tuple[str, ...] = ()

    @classmethod
    def initial(cls, capabilities: RecognizerCapabilities, defaults: SessionConfig) -> Self:
        """What holds before the client has said anything; finals need no word times, for which there is no place."""
        options = replace(defaults.options, word_times=False)
        return cls(capabilities.model, options, TurnDetection.of(defaults.endpointing))

    @property
    def audio_format(self) -> AudioFormat:
        """The format of the client's audio."""
        return AudioFormat(G711.get(self.format_type, AudioEncoding.PCM_S16LE), self.rate_hz)

    @property
    def bytes_per_s(self) -> int:
        """How much audio of this format makes a second."""
        return self.rate_hz * (1 if self.format_type in G711 else BYTES_PER_SAMPLE)

    def endpointing(self, server: EndpointingPolicy) -> EndpointingPolicy:
        """When utterances end."""
        if self.turn_detection is None:
            return replace(server, on_demand=True)
        return self.turn_detection.policy(server)

    def session_config(self, defaults: SessionConfig) -> SessionConfig:
        """All of it, as the domain knows it."""
        return replace(defaults, options=self.options, endpointing=self.endpointing(defaults.endpointing))

    # --- what is in force

    def to_json(self, session_id: str) -> dict[str, Any]:
        """The session object of today."""
        given: dict[str, Any] = {"type": self.format_type}
        if self.format_type not in G711:
            given["rate"] = self.rate_hz
        heard = {"format": given, "transcription": self._transcription(), "noise_reduction": None}
        session: dict[str, Any] = {"type": self.kind, **self._identity(session_id)}
        session["audio"] = {"input": {**heard, "turn_detection": self._turn_detection()}}
        return {**session, "include": None}

    def to_beta_json(self, session_id: str) -> dict[str, Any]:
        """The flat session object of the beta."""
        names = {new: old for old, new in BETA_FORMATS.items()}
        return {
            **self._identity(session_id),
            "modalities": ["text"],
            "input_audio_format": names[self.format_type],
            "input_audio_transcription": self._transcription(),
            "input_audio_noise_reduction": None,
            "turn_detection": self._turn_detection(),
            "include": None,
        }

    def _identity(self, session_id: str) -> dict[str, Any]:
        if self.kind == "transcription":
            return {"object": "realtime.transcription_session", "id": session_id}
        return {"object": "realtime.session", "id": session_id, "model": self.model, "output_modalities": ["text"]}

    def _transcription(self) -> dict[str, Any]:
        options = self.options
        said: dict[str, Any] = {"model": self.model, "language": options.language, "prompt": options.prompt or ""}
        if self.languages:
            said["languages"] = list(self.languages)
        if options.hotwords:
            said["keywords"] = list(options.hotwords)
        return said

    def _turn_detection(self) -> dict[str, Any] | None:
        return None if self.turn_detection is None else self.turn_detection.to_json()
