"""FunASR's runtime protocol, modes ``2pass``, ``online`` and ``offline``.

There are several servers of this protocol, and clients were written against each. The one behaviour that satisfies all
of them: partials carry only what is new (clients concatenate them), segment finals replace them; after the end of input
comes exactly one closing frame with ``is_final: true``, which carries the last segment's text if that is made just then;
an acknowledgement follows if ``is_end`` asked for it; the connection stays open for the next exchange.
"""

import json
from difflib import SequenceMatcher
from typing import Any, ClassVar

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
)
from asr_service.app.api.v1.websocket.protocols.funasr_config import FunAsrConfig, Mode, truth
from asr_service.app.api.v1.websocket.protocols.funasr_stamps import stamped_sentences, stamps
from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.domain.value_objects.transcript import join_texts
from asr_service.shared.errors import AsrError

SUBPROTOCOL = "binary"
_ONLINE_LABEL = "2pass-online"  # in mode online too: the C# client knows no other, the rest treat both alike
_OFFLINE_LABEL = "2pass-offline"


class FunAsrCodec:
    """One connection; an exchange runs from the first audio to the closing frame."""

    name: ClassVar[str] = "funasr"
    reusable: ClassVar[bool] = True

    def __init__(self, capabilities: RecognizerCapabilities, defaults: SessionConfig) -> None:
        self._capabilities = capabilities
        self._defaults = defaults
        self._config = FunAsrConfig()
        self._reset()

    def _reset(self) -> None:
        self._started = False
        self._ended = False  # the client has said so
        self._closed = False  # and has been answered
        self._wants_ack = False
        self._failure: str | None = None
        self._settled = 0  # utterances that have their final
        self._utterance_text = ""  # what partials of the utterance after them have said
        self._said_before = ""  # mode online: the last text of the utterance before
        self._finals: list[Hypothesis] = (
            []
        )  # not sent yet: all of them in mode offline, else the last one after the end

    # --- from the client

    def decode(self, frame: Frame) -> list[ClientMessage]:
        try:
            return self._audio(frame) if isinstance(frame, bytes) else self._message(frame)
        except AsrError as error:
            return [Refuse(error)]

    def _audio(self, data: bytes) -> list[ClientMessage]:
        if self._ended:
            return []  # late audio of an exchange that the client has ended
        return [*self._begin(), AudioData(data)]

    def _begin(self) -> list[ClientMessage]:
        if self._started:
            return []
        self._started = True
        return [StartSession(self._config.session_config(self._defaults), self._config.audio_format())]

    def _message(self, text: str) -> list[ClientMessage]:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedMessage("The text frame is no JSON.") from error
        if not isinstance(message, dict):
            raise MalformedMessage("The text frame is no JSON object.")
        is_end = truth(message.get("is_speaking")) is False or truth(message.get("is_finished")) is True
        if self._ended and not is_end:
            self._reset()  # the configuration of the next exchange
        if not self._ended:
            self._config = self._config.updated(message, self._capabilities)
        if is_end:
            return self._end(wants_ack=truth(message.get("is_end")) is True)
        return [ChangeOptions(self._config.options(self._defaults.options))] if self._started else []

    def _end(self, *, wants_ack: bool) -> list[ClientMessage]:
        if self._ended:  # some clients say it twice, the second time on their way out
            if wants_ack and self._closed and not self._wants_ack:
                self._wants_ack = True
                return [Reply((self._ack(),))]
            self._wants_ack = self._wants_ack or wants_ack
            return []
        begin = self._begin()
        self._ended, self._wants_ack = True, wants_ack
        return [*begin, EndInput()]

    # --- to the client

    def encode(self, event: SessionEvent) -> list[Frame]:
        match event:
            case PartialRecognized():
                return self._partial(event)
            case UtteranceFinalized():
                frames = self._final(event.hypothesis) if event.hypothesis.text else []
                self._settle()
                return frames
            case UtteranceFailed():
                self._failure = event.message
                self._settle()
                return [self._error_frame(event.code, event.message, is_final=False)]
            case SessionEnded(reason=EndReason.COMPLETED | EndReason.TIMED_OUT):
                return self._close()
        return []

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        return [self._error_frame(error.code, error.message, is_final=fatal)]

    def _partial(self, event: PartialRecognized) -> list[Frame]:
        """What is new in the stable text, unless the final before is still to come: it would wipe the partial out."""
        new = event.stable[len(self._utterance_text) :]
        if not new or event.utterance != self._settled:
            return []
        frame = self._frame(_ONLINE_LABEL, self._spaced(new))
        self._utterance_text = event.stable
        return [frame]

    def _final(self, hypothesis: Hypothesis) -> list[Frame]:
        if self._config.mode is Mode.ONLINE:
            return self._online_rest(hypothesis.text)
        frames: list[Frame] = []
        if self._config.mode is Mode.TWO_PASS:
            frames = [self._result(held, is_final=False) for held in self._finals]
            self._finals.clear()
        self._finals.append(hypothesis)
        if self._config.mode is Mode.TWO_PASS and not self._ended:
            frames.append(self._result(self._finals.pop(), is_final=False))
        return frames

    def _online_rest(self, text: str) -> list[Frame]:
        """What the final adds to the partials, which cannot be taken back: all that follows their last common piece."""
        blocks = SequenceMatcher(None, self._utterance_text, text, autojunk=False).get_matching_blocks()
        rest = text[max((block.b + block.size for block in blocks if block.size), default=0) :]
        frames: list[Frame] = [self._frame(_ONLINE_LABEL, self._spaced(rest))] if rest else []
        self._said_before = text
        return frames

    def _spaced(self, text: str) -> str:
        """With a space before the first words of an utterance, where the script wants one after the utterance before."""
        if self._utterance_text or not self._said_before or self._config.mode is not Mode.ONLINE:
            return text
        return join_texts((self._said_before, text))[len(self._said_before) :]

    def _settle(self) -> None:
        self._settled += 1
        self._utterance_text = ""

    def _close(self) -> list[Frame]:
        self._closed = True
        if self._config.mode is Mode.OFFLINE:
            closing = self._offline_result()
        elif self._finals:
            closing = self._result(self._finals.pop(), is_final=True)
        else:
            label = _ONLINE_LABEL if self._config.mode is Mode.ONLINE else _OFFLINE_LABEL
            closing = self._frame(label, "", is_final=True)
        return [closing, self._ack()] if self._wants_ack else [closing]

    def _offline_result(self) -> Frame:
        """One frame for the whole input."""
        times = [stamp for final in self._finals for stamp in stamps(final) or ()]
        extras = {"timestamp": json.dumps(times)} if times else {}
        text = join_texts(final.text for final in self._finals)
        self._finals.clear()
        return self._frame("offline", text, is_final=True, **extras)

    def _result(self, hypothesis: Hypothesis, *, is_final: bool) -> Frame:
        extras: dict[str, Any] = {}
        if times := stamps(hypothesis):
            extras = {"timestamp": json.dumps(times), "stamp_sents": stamped_sentences(hypothesis)}
        return self._frame(_OFFLINE_LABEL, hypothesis.text, is_final=is_final, **extras)

    def _ack(self) -> Frame:
        extras = {} if self._failure is None else {"error": self._failure}
        return self._frame(self._config.mode, "", is_final=self._failure is None, is_end=True, **extras)

    def _error_frame(self, code: str, message: str, *, is_final: bool) -> Frame:
        return self._frame(self._config.mode, "", is_final=is_final, error=message, code=code)

    def _frame(self, mode: str, text: str, *, is_final: bool = False, **extras: Any) -> Frame:
        fields = {"mode": mode, "wav_name": self._config.wav_name, "text": text, "is_final": is_final, **extras}
        return json.dumps(fields, ensure_ascii=False)
