"""The dialect of ``funasr-realtime-server``: commands as plain text, all sentences so far in every result.

Client: ``START`` audio* (``COMMIT`` | ``HOTWORDS:`` | ``POSTPROCESS_HOTWORDS:`` | ``LANGUAGE:``)* ``STOP``, and again. What
follows ``START`` is one stream with one list of sentences; ``COMMIT`` ends a session of ours inside of it, so that its
answer has the text of every sample before it.
"""

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
    UnsupportedOption,
)
from asr_service.app.api.v1.websocket.protocols.funasr_sentences import Sentences
from asr_service.app.dto.session_config import (
    MAX_HOTWORD_CHARACTERS,
    MAX_HOTWORDS,
    supported_language,
    usable_hotwords,
)
from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.shared.errors import AsrError

_COMMANDS = ("START", "STOP", "COMMIT", "HOTWORDS", "POSTPROCESS_HOTWORDS", "LANGUAGE")
_HINT = "Commands are START, STOP, COMMIT, HOTWORDS:a,b, POSTPROCESS_HOTWORDS:wrong=>right and LANGUAGE:zh."


class NotStarted(MalformedMessage):
    """There is no stream that the command could concern."""

    code = "out_of_turn"


def is_command(text: str) -> bool:
    """Whether a text frame is one of this dialect's, in capitals or not."""
    return _name_of(text) in _COMMANDS


def _name_of(text: str) -> str:
    return text.partition(":")[0].strip().upper()


@dataclass(slots=True)
class _End:
    """The end of a session that is not answered yet: of which stream, and what is to be sent after its result."""

    sentences: Sentences
    frames: list[Frame] = field(default_factory=list)


class FunAsrRealtimeCodec:
    """One connection, from its first command on."""

    name: ClassVar[str] = "funasr-realtime"
    reusable: ClassVar[bool] = True

    def __init__(self, capabilities: RecognizerCapabilities, defaults: SessionConfig) -> None:
        self._capabilities = capabilities
        self._defaults = defaults
        self._options = defaults.options
        self._replacements: dict[str, str] = {}
        self._sentences = Sentences()  # of the stream that the client is in
        self._started = False
        self._running = False  # whether a session takes audio
        self._ends: deque[_End] = deque()  # a session begins when the one before has ended: two at most
        self._readers: dict[str, Callable[[str], list[ClientMessage]]] = {
            "START": self._start,
            "STOP": self._stop,
            "COMMIT": self._commit,
            "HOTWORDS": self._set_hotwords,
            "POSTPROCESS_HOTWORDS": self._set_replacements,
            "LANGUAGE": self._set_language,
        }

    # --- from the client

    def decode(self, frame: Frame) -> list[ClientMessage]:
        try:
            return self._audio(frame) if isinstance(frame, bytes) else self._command(frame)
        except AsrError as error:
            return [Refuse(error)]

    def _audio(self, data: bytes) -> list[ClientMessage]:
        if not self._started:
            return []  # as the dialect has it
        return [*self._begin(), AudioData(data)]

    def _begin(self) -> list[ClientMessage]:
        if self._running:
            return []
        self._running = True
        return [StartSession(replace(self._defaults, options=self._options), AudioFormat())]

    def _command(self, text: str) -> list[ClientMessage]:
        reader = self._readers.get(_name_of(text))
        if reader is None:
            raise MalformedMessage("The text frame is no command.", hint=_HINT)
        return reader(text.partition(":")[2].strip())

    def _start(self, _: str) -> list[ClientMessage]:
        """A new stream; one that is not stopped is forgotten."""
        ended: list[ClientMessage] = []
        if self._started:
            self._sentences.forgotten = True
            ended = self._end()
        self._sentences, self._started = Sentences(), True
        return [*ended, *self._say({"event": "started"})]

    def _stop(self, _: str) -> list[ClientMessage]:
        ended, self._started = self._end(), False
        return [*ended, *self._say({"event": "stopped"})]

    def _commit(self, _: str) -> list[ClientMessage]:
        if not self._started:
            raise NotStarted("COMMIT came before START.", hint="Send START first.")
        return [*self._begin(), *self._end()]  # also without new audio: it is answered in its turn

    def _end(self) -> list[ClientMessage]:
        """Ends the session that takes audio, if there is one."""
        if not self._running:
            return []
        self._running = False
        self._ends.append(_End(self._sentences))
        return [EndInput()]

    def _say(self, message: dict[str, Any]) -> list[ClientMessage]:
        """Answers a command, when what was asked before it is answered; what is forgotten need not be."""
        frame = _frame(message)
        pending = [end for end in self._ends if not end.sentences.forgotten]
        if not pending:
            return [Reply((frame,))]
        pending[-1].frames.append(frame)
        return []

    def _set_hotwords(self, text: str) -> list[ClientMessage]:
        words = usable_hotwords(_listed(text))
        if words and not self._capabilities.hotwords:
            raise UnsupportedOption(f"The model {self._capabilities.model} makes nothing of hotwords.")
        self._options = replace(self._options, hotwords=words)
        return [*self._changed_options(), Reply((_frame({"event": "hotwords_set", "hotwords": words}),))]

    def _set_replacements(self, text: str) -> list[ClientMessage]:
        """Texts to be put in the place of others, in everything that is recognized from now on."""
        pairs = [(wrong.strip(), right.strip()) for wrong, _, right in (pair.partition("=>") for pair in _listed(text))]
        if any(not (wrong and right) or max(len(wrong), len(right)) > MAX_HOTWORD_CHARACTERS for wrong, right in pairs):
            raise MalformedMessage("A replacement is not of the form wrong=>right.", hint="Separate them by commas.")
        self._replacements = dict(pairs[:MAX_HOTWORDS])
        answer = {"event": "postprocess_hotwords_set", "postprocess_hotwords": self._replacements}
        return [Reply((_frame(answer),))]

    def _set_language(self, text: str) -> list[ClientMessage]:
        self._options = replace(self._options, language=supported_language(text, self._capabilities))
        return [*self._changed_options(), Reply((_frame({"event": "language_set", "language": text}),))]

    def _changed_options(self) -> list[ClientMessage]:
        return [ChangeOptions(self._options)] if self._running else []

    # --- to the client

    def encode(self, event: SessionEvent) -> list[Frame]:
        sentences = self._ends[0].sentences if self._ends else self._sentences
        frames = self._told(event, sentences)
        return [] if sentences.forgotten else frames

    def _told(self, event: SessionEvent, sentences: Sentences) -> list[Frame]:
        match event:
            case PartialRecognized() if sentences.take_partial(event):
                return [self._result(sentences, is_final=False)]
            case UtteranceFinalized():
                sentences.take_final(event)
                return [self._result(sentences, is_final=False)]
            case UtteranceFailed():
                sentences.take_failure(event)
                return [_error_frame(event.code, event.message)]
            case SessionEnded(reason=EndReason.COMPLETED | EndReason.TIMED_OUT):
                end = self._ends.popleft()
                sentences.session_ended(event)
                return [self._result(sentences, is_final=True), *end.frames]
        return []

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        return [_error_frame(error.code, error.explanation)]

    def _result(self, sentences: Sentences, *, is_final: bool) -> Frame:
        return _frame(sentences.result(self._corrected, is_final=is_final))

    def _corrected(self, text: str) -> str:
        if not self._replacements:
            return text
        longest_first = sorted(self._replacements, key=len, reverse=True)
        pattern = "|".join(re.escape(wrong) for wrong in longest_first)
        return re.sub(pattern, lambda found: self._replacements[found.group()], text)


def _listed(text: str) -> list[str]:
    return [stripped for item in re.split(r"[,，]", text) if (stripped := item.strip())]


def _error_frame(code: str, message: str) -> Frame:
    return _frame({"event": "error", "error": message, "code": code})


def _frame(message: dict[str, Any]) -> Frame:
    return json.dumps(message, ensure_ascii=False)
