"""FunASR's runtime protocol, modes ``2pass``, ``online`` and ``offline``.

There are several servers of this protocol, and clients were written against each. The one behaviour that satisfies all
of them: partials carry only what is new (clients concatenate them), segment finals replace them; after the end of input
comes exactly one closing frame with ``is_final: true``, which carries the last segment's text if that is made just then;
an acknowledgement follows if ``is_end`` asked for it; the connection stays open for the next exchange.

The server in FunASR's newer package speaks another dialect, of text commands, on the same port: a connection whose first
text frame is one of them is handed over to ``funasr_realtime``.
"""

from collections import deque
from dataclasses import replace
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
    read_json,
)
from asr_service.app.api.v1.websocket.protocols.funasr_config import FunAsrConfig, truth
from asr_service.app.api.v1.websocket.protocols.funasr_exchange import WHOLE_INPUT_LABEL, Exchange
from asr_service.app.api.v1.websocket.protocols.funasr_realtime import FunAsrRealtimeCodec, is_command
from asr_service.app.dto.wish_outcomes import WishOutcome, wish_outcomes
from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.shared.errors import AsrError

SUBPROTOCOL = "binary"


class FunAsrCodec:
    """One connection. An exchange runs from the first audio to the closing frame.

    A client may go on to its next exchanges before it has the answers to the last one, so the one that the client is in
    need not be the one that events belong to. Sessions, and so their events, come one after the other.

    Args:
        capabilities, defaults: See ``CodecFactory``.
        offline_label: The ``mode`` of the one result of mode offline, ``offline`` or ``2pass-offline``.
    """

    name: ClassVar[str] = "funasr"
    reusable: ClassVar[bool] = True

    def __init__(
        self, capabilities: RecognizerCapabilities, defaults: SessionConfig, *, offline_label: str = WHOLE_INPUT_LABEL
    ) -> None:
        self._capabilities = capabilities
        self._defaults = defaults
        self._offline_label = offline_label
        self._dialect: FunAsrRealtimeCodec | None = None  # once the connection is handed over
        self._has_said_something = False  # in a text frame
        self._asking = Exchange(FunAsrConfig(), offline_label)
        self._begun: deque[Exchange] = deque()  # the first is answered; a second one waits for it

    # --- from the client

    def greet(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[ClientMessage]:
        if self._dialect is not None:
            return self._dialect.decode(frame)
        try:
            return self._audio(frame) if isinstance(frame, bytes) else self._text(frame)
        except AsrError as error:
            return [Refuse(error)]

    def _text(self, text: str) -> list[ClientMessage]:
        is_first, self._has_said_something = not self._has_said_something, True
        return self._hand_over(text) if is_first and is_command(text) else self._message(text)

    def _hand_over(self, command: str) -> list[ClientMessage]:
        """The other dialect takes over; of audio that came before its first command it wants to know nothing."""
        self._dialect = FunAsrRealtimeCodec(self._capabilities, self._defaults)
        abandoned: list[ClientMessage] = [EndInput()] if self._asking.begun else []
        return [*abandoned, *self._dialect.decode(command)]

    def _audio(self, data: bytes) -> list[ClientMessage]:
        if self._asking.ended:
            return []  # late audio of an exchange that the client has ended
        return [*self._begin(), AudioData(data)]

    def _begin(self) -> list[ClientMessage]:
        if self._asking.begun:
            return []
        self._asking.begun = True
        self._begun.append(self._asking)
        config = self._asking.config
        return [StartSession(config.session_config(self._defaults), config.audio_format())]

    def _message(self, text: str) -> list[ClientMessage]:
        message = read_json(text)
        if not isinstance(message, dict):
            raise MalformedMessage("The text frame is no JSON object.")
        is_end = truth(message.get("is_speaking")) is False or truth(message.get("is_finished")) is True
        wants_ack = truth(message.get("is_end")) is True
        if self._asking.ended and is_end:
            return self._end_again(wants_ack=wants_ack)
        refused = self._configure(message)
        return [*refused, *(self._end(wants_ack=wants_ack) if is_end else self._changed_options())]

    def _configure(self, message: dict[str, Any]) -> list[ClientMessage]:
        """Takes what can be understood, of the next exchange if the last one has ended; refuses the rest."""
        if self._asking.ended:
            self._asking = Exchange(self._asking.config, self._offline_label)
        before = self._asking.config
        config, problems = before.updated(message, self._capabilities)
        self._asking.config = replace(config, mode=before.mode) if self._asking.begun else config
        return [Refuse(problem) for problem in [*problems, *self._unheard(message)]]

    def _unheard(self, message: dict[str, Any]) -> list[UnsupportedOption]:
        """Wishes that the engine cannot fulfil. FunASR's servers say nothing of them, so only the log does."""
        outcomes = wish_outcomes(self._asking.config.options(self._defaults.options), self._capabilities)
        lacking = {wish for wish, outcome in outcomes.items() if outcome is WishOutcome.UNSUPPORTED}
        unheard = []
        if "hotwords" in message and "hotwords" in lacking:
            unheard.append(UnsupportedOption(f"The model {self._capabilities.model} makes nothing of hotwords."))
        if ("itn" in message or "svs_itn" in message) and "numbers" in lacking:
            unheard.append(UnsupportedOption(f"Numbers stay as the model {self._capabilities.model} writes them."))
        return unheard

    def _changed_options(self) -> list[ClientMessage]:
        return [ChangeOptions(self._asking.config.options(self._defaults.options))] if self._asking.begun else []

    def _end(self, *, wants_ack: bool) -> list[ClientMessage]:
        begin = self._begin()
        self._asking.ended, self._asking.wants_ack = True, wants_ack
        return [*begin, EndInput()]

    def _end_again(self, *, wants_ack: bool) -> list[ClientMessage]:
        """Some clients say it twice, the second time on their way out."""
        if self._asking.wants_ack or not wants_ack:
            return []
        self._asking.wants_ack = True
        return [Reply((self._asking.acknowledgement(),))] if self._asking.closed else []

    # --- to the client

    def encode(self, event: SessionEvent) -> list[Frame]:
        if self._dialect is None:
            return self._answering.encode(event)
        if self._asking.begun and not self._asking.closed:
            self._asking.encode(event)  # of the audio before the first command: nobody is told
            return []
        return self._dialect.encode(event)

    def encode_error(self, error: AsrError, *, fatal: bool) -> list[Frame]:
        if self._dialect is not None:
            return self._dialect.encode_error(error, fatal=fatal)
        if isinstance(error, UnsupportedOption) and not fatal:
            return []
        concerned = self._answering if fatal and not self._answering.closed else self._asking
        return concerned.encode_error(error, fatal=fatal)

    @property
    def _answering(self) -> Exchange:
        """The exchange that events belong to now."""
        while len(self._begun) > 1 and self._begun[0].closed:
            self._begun.popleft()
        return self._begun[0] if self._begun else self._asking
