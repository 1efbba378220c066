"""The protocol of vosk-server: a frame of audio, then its answer, and so on in lock-step.

Clients wait after each frame of audio until they are answered: with the result of an utterance if one is there and not
told yet, else with the newest partial. So results wait here for the frame that asks; ``eof`` and ``reset`` are answered
with all that is left, once it is recognized. Where the original compares text with ``{"eof" : 1}``, spaces included, any
JSON that says the same is understood.
"""

import json
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

from asr_service.app.api.v1.websocket.protocols.codec import (
    AudioData,
    ChangeOptions,
    ClientMessage,
    EndInput,
    Frame,
    MalformedMessage,
    Refuse,
    Reply,
    StartSession,
    UnsupportedOption,
    read_json,
)
from asr_service.app.dto.session_config import usable_hotwords
from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import (
    MAX_SAMPLE_RATE_HZ,
    MIN_SAMPLE_RATE_HZ,
    AudioFormat,
    s_from_samples,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.domain.value_objects.transcript import join_texts
from asr_service.shared.errors import AsrError

_DEFAULT_RATE_HZ = 8_000  # vosk-server's own
_UNKNOWN_WORD = "[unk]"  # stands in Vosk's lists of phrases for everything else

Outcome: TypeAlias = Hypothesis | UtteranceFailed


@dataclass(frozen=True, slots=True)
class _Config:
    sample_rate_hz: int = _DEFAULT_RATE_HZ
    words: bool = True
    alternatives: bool = False
    phrases: tuple[str, ...] | None = None

    def options(self, defaults: RecognitionOptions) -> RecognitionOptions:
        hotwords = defaults.hotwords if self.phrases is None else self.phrases
        return replace(defaults, hotwords=hotwords, word_times=self.words)


class VoskCodec:
    """One connection. ``reset`` ends a session of ours and the next frame begins one; times go on across them."""

    name: ClassVar[str] = "vosk"

    def __init__(self, capabilities: RecognizerCapabilities, defaults: SessionConfig) -> None:
        self._capabilities = capabilities
        self._defaults = defaults
        self._config = _Config()
        self._running = False  # whether a session takes audio
        self._over = False  # after eof
        self._unanswered = 0  # sessions whose end is not told yet; the first of them is the one that events belong to
        self._due: deque[Outcome] = deque()  # for the next frames to ask for
        self._partial = ""
        self._settled = 0  # utterances of the session that have their outcome
        self._before_samples = 0  # of the sessions before, at 16 kHz
        self._complaint: AsrError | None = (
            None  # about a configuration, which is not answered: told with the next answer
        )

    @property
    def reusable(self) -> bool:
        return not self._over or self._unanswered > 0

    def greet(self) -> list[Frame]:
        return []

    # --- from the client

    def decode(self, frame: Frame) -> list[ClientMessage]:
        if self._over:
            return []
        try:
            return self._audio(frame) if isinstance(frame, bytes) else self._message(frame)
        except AsrError as error:
            return [Refuse(error)]

    def _audio(self, data: bytes) -> list[ClientMessage]:
        return [*self._begin(), AudioData(data), Reply((self._answer(),))]

    def _begin(self) -> list[ClientMessage]:
        if self._running:
            return []
        self._running = True
        self._unanswered += 1
        config = replace(self._defaults, options=self._config.options(self._defaults.options))
        return [StartSession(config, AudioFormat(sample_rate_hz=self._config.sample_rate_hz))]

    def _message(self, text: str) -> list[ClientMessage]:
        message = read_json(text)
        if isinstance(message, dict):
            if "config" in message:
                return self._configure(message["config"])
            if "eof" in message or "reset" in message:
                self._over = "eof" in message
                return self._end()
        raise MalformedMessage("The text frame is neither config, nor eof, nor reset.")

    def _end(self) -> list[ClientMessage]:
        """Also without audio: a session without any gives the empty result that is waited for, in its turn."""
        begin, self._running = self._begin(), False
        return [*begin, EndInput()]

    def _configure(self, wishes: Any) -> list[ClientMessage]:
        """Configurations have no answer, so neither may a complaint about one be one."""
        before = self._config
        try:
            self._config = self._configured(wishes)
        except MalformedMessage as complaint:
            self._complaint = complaint
            return [Refuse(complaint)]
        ignored: list[ClientMessage] = []
        if self._config.phrases and not self._capabilities.hotwords:
            ignored = [Refuse(UnsupportedOption(f"The model {self._capabilities.model} makes nothing of phrase_list."))]
        if self._running and self._config != before:
            return [*ignored, ChangeOptions(self._config.options(self._defaults.options))]
        return ignored

    def _configured(self, wishes: Any) -> _Config:
        """With what a configuration says; ``model`` is a path of another server's, and unknown keys are its business."""
        if not isinstance(wishes, dict):
            raise MalformedMessage("config is no JSON object.", field="config")
        changes: dict[str, Any] = {}
        if (rate := wishes.get("sample_rate")) is not None:
            changes["sample_rate_hz"] = self._sample_rate(rate)
        if (words := wishes.get("words")) is not None:
            changes["words"] = _number(words, "words") != 0
        if (count := wishes.get("max_alternatives")) is not None:
            changes["alternatives"] = _number(count, "max_alternatives") > 0
        if (phrases := wishes.get("phrase_list")) is not None:
            changes["phrases"] = _phrases(phrases)
        return replace(self._config, **changes)

    def _sample_rate(self, value: object) -> int:
        rate = _number(value, "sample_rate")
        if not MIN_SAMPLE_RATE_HZ <= rate <= MAX_SAMPLE_RATE_HZ:
            raise MalformedMessage(f"sample_rate is {rate:g}.", field="sample_rate", hint="Use 8000 or 16000.")
        if self._running and int(rate) != self._config.sample_rate_hz:
            raise MalformedMessage("sample_rate came after audio.", field="sample_rate", hint="Send it first.")
        return int(rate)

    # --- to the client

    def encode(self, event: SessionEvent) -> list[Frame]:
        match event:
            case PartialRecognized() if event.utterance == self._settled:
                self._partial = event.stable + event.volatile
            case UtteranceFinalized():
                self._settle(event.hypothesis.shifted(self._before_samples))
            case UtteranceFailed():
                self._settle(event)
            case SessionEnded(reason=EndReason.COMPLETED | EndReason.TIMED_OUT):
                rest = self._result(*self._due)
                self._due.clear()
                self._partial, self._settled = "", 0
                self._before_samples += event.received_samples
                self._unanswered -= 1
                return [rest]
        return []

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        if not fatal and (error is self._complaint or isinstance(error, UnsupportedOption)):
            return []  # to be told later; or what Vosk ignores as well
        return [self._frame({"text": "", "error": error.explanation, "code": error.code})]

    def _settle(self, outcome: Outcome) -> None:
        self._due.append(outcome)
        self._settled += 1
        self._partial = ""

    def _answer(self) -> Frame:
        if self._unanswered > 1:  # what is due, and the partial, belong to the session before
            return self._frame({"partial": ""})
        return self._result(self._due.popleft()) if self._due else self._frame({"partial": self._partial})

    def _result(self, *outcomes: Outcome) -> Frame:
        texts = [outcome for outcome in outcomes if isinstance(outcome, Hypothesis)]
        words = [word for hypothesis in texts for word in hypothesis.words] if self._config.words else []
        confidences = [word.confidence for word in words if word.confidence is not None]
        result: dict[str, Any] = {"text": join_texts(hypothesis.text for hypothesis in texts)}
        if words:
            result["result"] = [
                {
                    "word": word.text,
                    "start": s_from_samples(word.span.start),
                    "end": s_from_samples(word.span.end),
                    **({} if word.confidence is None or self._config.alternatives else {"conf": word.confidence}),
                }
                for word in words
            ]
        if self._config.alternatives:
            known = {"confidence": sum(confidences) / len(confidences)} if confidences else {}
            result = {"alternatives": [{**known, **result}]}
        failure = next((outcome for outcome in outcomes if isinstance(outcome, UtteranceFailed)), None)
        if failure is not None:
            result |= {"error": failure.message, "code": failure.code}
        return self._frame(result)

    def _frame(self, message: dict[str, Any]) -> Frame:
        if self._complaint is not None and "error" not in message:
            message["error"], message["code"] = self._complaint.explanation, self._complaint.code
            self._complaint = None
        return json.dumps(message, ensure_ascii=False)


def _number(value: object, field: str) -> float:
    """A number, also where it is written as a text or a boolean."""
    try:
        number = float(value) if isinstance(value, bool | int | float) else float(str(value))
    except (ValueError, OverflowError):
        raise MalformedMessage(f"{field} is {str(value)[:20]!r}.", field=field, hint="Use a number.") from None
    return number


def _phrases(value: object) -> tuple[str, ...]:
    phrases = value if isinstance(value, list) else [value]
    return usable_hotwords(phrase for phrase in phrases if str(phrase).strip() != _UNKNOWN_WORD)
