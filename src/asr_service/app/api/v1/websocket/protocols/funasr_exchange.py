"""What FunASR's clients are answered within one exchange: from its first audio to the closing frame."""

import json
from difflib import SequenceMatcher
from typing import Any

from asr_service.app.api.v1.websocket.protocols.codec import Frame
from asr_service.app.api.v1.websocket.protocols.funasr_config import FunAsrConfig, Mode
from asr_service.app.api.v1.websocket.protocols.funasr_stamps import stamped_sentences, stamps
from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.domain.value_objects.transcript import join_texts
from asr_service.shared.errors import AsrError

_ONLINE_LABEL = "2pass-online"  # in mode online too: the C# client knows no other, the rest treat both alike
_OFFLINE_LABEL = "2pass-offline"

WHOLE_INPUT_LABEL = "offline"
"""The usual label of mode offline; the Go client requires it. A client that merges segments wants ``2pass-offline``."""


class Exchange:
    """The answers to one exchange.

    Attributes:
        config: What the client has said; its mode does not change any more once the exchange has begun.
        begun: Whether there is a session for it.
        ended: Whether the client has said that its input has ended.
        wants_ack: Whether the closing frame is to be followed by an acknowledgement.
        closed: Whether the closing frame is made.
    """

    def __init__(self, config: FunAsrConfig, offline_label: str = WHOLE_INPUT_LABEL) -> None:
        self.config = config
        self._offline_label = offline_label
        self.begun = False
        self.ended = False
        self.wants_ack = False
        self.closed = False
        self._failure: UtteranceFailed | None = None
        self._settled = 0  # utterances that have their final
        self._utterance_text = ""  # what partials of the utterance after them have said
        self._said_before = ""  # mode online: the last text of the utterance before
        self._held: list[Hypothesis] = []  # not sent yet: all of them in mode offline, else the last one after the end

    def encode(self, event: SessionEvent) -> list[Frame]:
        """The frames that tell of an event."""
        match event:
            case PartialRecognized():
                return self._partial(event)
            case UtteranceFinalized():
                return self._final(event.hypothesis)
            case UtteranceFailed():
                return self._failed(event)
            case SessionEnded(reason=EndReason.COMPLETED | EndReason.TIMED_OUT):
                return self._close()
        return []

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        """The frames that report an error; before a fatal one comes what is recognized and not sent yet."""
        return [*(self._release() if fatal else ()), self._error_frame(error.code, error.explanation, is_final=fatal)]

    def acknowledgement(self) -> Frame:
        """The very last frame of an exchange whose client asked for it."""
        failure = {} if self._failure is None else {"error": self._failure.message}
        return self._frame(self.config.mode, "", is_final=self._failure is None, is_end=True, **failure)

    # --- partials: only what is new

    def _partial(self, event: PartialRecognized) -> list[Frame]:
        """What is new in the stable text, unless the final before is still to come: it would wipe the partial out."""
        new = event.stable[len(self._utterance_text) :]
        if not new or event.utterance != self._settled or self.config.mode is Mode.OFFLINE:
            return []
        # A final that waits for the closing frame would wipe it out too; but it is not the last one, as is known now.
        frames = [*self._release(), self._frame(_ONLINE_LABEL, self._spaced(new))]
        self._utterance_text = event.stable
        return frames

    def _spaced(self, text: str) -> str:
        """With a space before the first words of an utterance, where the script wants one after the utterance before."""
        if self._utterance_text or not self._said_before or self.config.mode is not Mode.ONLINE:
            return text
        return join_texts((self._said_before, text))[len(self._said_before) :]

    # --- finals

    def _final(self, hypothesis: Hypothesis) -> list[Frame]:
        frames: list[Frame] = []
        if self.config.mode is Mode.ONLINE:
            frames = self._online_rest(hypothesis.text)
        elif hypothesis.text or self._utterance_text:  # an empty final takes back the partials that there were
            frames = self._replacement(hypothesis)
        self._settle()
        return frames

    def _replacement(self, hypothesis: Hypothesis) -> list[Frame]:
        """Takes a final that stands for a whole utterance; gives those that need not wait for the end."""
        frames = [] if self.config.mode is Mode.OFFLINE else self._release()
        self._held.append(hypothesis)
        return frames if self.ended or self.config.mode is Mode.OFFLINE else [*frames, *self._release()]

    def _online_rest(self, text: str) -> list[Frame]:
        """What the final adds to the partials, which cannot be taken back: all that follows their last common piece."""
        if not text:
            return []
        blocks = SequenceMatcher(None, self._utterance_text, text, autojunk=False).get_matching_blocks()
        rest = text[max((block.b + block.size for block in blocks if block.size), default=0) :]
        frames: list[Frame] = [self._frame(_ONLINE_LABEL, self._spaced(rest))] if rest else []
        self._said_before = text
        return frames

    def _failed(self, event: UtteranceFailed) -> list[Frame]:
        self._failure = event
        self._settle()
        if self.config.mode is Mode.OFFLINE:
            return []  # the one frame of this mode tells of it
        return [self._error_frame(event.code, event.message, is_final=False)]

    def _settle(self) -> None:
        self._settled += 1
        self._utterance_text = ""

    def _release(self) -> list[Frame]:
        """Frames, none of them the closing one, with the finals that are held back."""
        if self.config.mode is Mode.OFFLINE:
            return [self._whole_input(is_final=False)] if self._held else []
        held, self._held = self._held, []
        return [self._result(hypothesis, is_final=False) for hypothesis in held]

    # --- the end

    def _close(self) -> list[Frame]:
        self.closed = True
        if self.config.mode is Mode.OFFLINE:
            closing = self._whole_input(is_final=True)
        elif self._held:
            closing = self._result(self._held.pop(), is_final=True)
        else:
            label = _ONLINE_LABEL if self.config.mode is Mode.ONLINE else _OFFLINE_LABEL
            closing = self._frame(label, "", is_final=True)
        return [closing, self.acknowledgement()] if self.wants_ack else [closing]

    def _whole_input(self, *, is_final: bool) -> Frame:
        """Mode offline: one frame for all finals; one without times would shift those of the others, so all have to."""
        finals, self._held = self._held, []
        words = tuple(word for final in finals for word in final.words)
        text = join_texts(final.text for final in finals)
        times = stamps(Hypothesis(text, words)) if all(final.words for final in finals) else None
        extras: dict[str, Any] = {"timestamp": json.dumps(times)} if times else {}
        if self._failure is not None:
            extras |= {"error": self._failure.message, "code": self._failure.code}
        return self._frame(self._offline_label, text, is_final=is_final, **extras)

    # --- frames

    def _result(self, hypothesis: Hypothesis, *, is_final: bool) -> Frame:
        extras: dict[str, Any] = {}
        if times := stamps(hypothesis):
            extras = {"timestamp": json.dumps(times), "stamp_sents": stamped_sentences(hypothesis)}
        return self._frame(_OFFLINE_LABEL, hypothesis.text, is_final=is_final, **extras)

    def _error_frame(self, code: str, message: str, *, is_final: bool) -> Frame:
        return self._frame(self.config.mode, "", is_final=is_final, error=message, code=code)

    def _frame(self, mode: str, text: str, *, is_final: bool = False, **extras: Any) -> Frame:
        fields = {"mode": mode, "wav_name": self.config.wav_name, "text": text, "is_final": is_final, **extras}
        return json.dumps(fields, ensure_ascii=False)
