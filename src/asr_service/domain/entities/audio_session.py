"""One stream of audio, from its first sample to its last final."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from asr_service.domain.entities.audio_buffer import AudioBuffer
from asr_service.domain.entities.open_requests import OpenRequests
from asr_service.domain.entities.safe_places import SafePlaces
from asr_service.domain.entities.utterance import Failure, Utterance
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    AudioDiscarded,
    EndpointForced,
    EndpointingChanged,
    SessionEnded,
    SessionEvent,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.services.segmenter import (
    Segmenter,
    SegmenterEvent,
    SpeechBegan,
    SpeechFinished,
    SpeechPaused,
    SpeechResumed,
)
from asr_service.domain.services.sentence_end import ends_sentence
from asr_service.domain.services.spoken_language import SpokenLanguage, is_doubtful, second_hearing
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import (
    SampleSpan,
    s_from_samples,
    samples_from_ms,
)
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from asr_service.shared.errors import AsrError, InvalidRequest

MAX_AHEAD_S = 10.0  # a live client may have kept so much from before the session, and sends it at once
MAX_AHEAD_RESUMED_S = 60.0  # and so much from an interruption


class IllegalTransition(AsrError):
    """An input that the session's state does not allow, for example audio after the end of input."""

    code = "illegal_transition"


class ReplayIncomplete(InvalidRequest):
    """A resumed session was told of an end before the audio that it had asked for again was there."""

    code = "replay_incomplete"


class AudioSession:
    """The aggregate of a live stream: a state machine without clock and without await.

    Inputs change it, outputs are collected: after every input the owner takes events, requests and withdrawn requests.
    One task owns a session and makes all calls. What comes out, but for partials, does not depend on how the audio was
    cut into packets, nor on the order in which the recognizer answers; only ``sentence_silence_ms`` makes endpoints
    depend on when it does.

    A final whose language was detected without certainty, and is not that of the finals before it, is recognized a
    second time in that one. What the language is, is told by the finals as they leave, in the order of the utterances.

    From a checkpoint on, and with the audio from there on, a session says what the one before it would have said, but for
    partials. It is ``config`` that changes with the options, so it is given as at the start.

    ``OPENING -open-> LISTENING -end_input-> DRAINING -last final settled | deadline-> CLOSED``; ``abort`` closes from
    anywhere.
    """

    def __init__(
        self,
        session_id: str,
        caller: Caller,
        config: SessionConfig,
        *,
        new_request_id: Callable[[], str],
        load: Callable[[], float] = lambda: 0.0,
        checkpoint: SessionCheckpoint | None = None,
    ) -> None:
        """A session that is to be opened.

        Args:
            session_id: Unique among all.
            caller: Whose it is.
            config: As at the start.
            new_request_id: Makes an identifier.
            load: Tells how loaded the recognizer is, from 0 (idle) to 1 (saturated). Only how often partials are asked for
                depends on it.
            checkpoint: Where it goes on from; ``None``: it is a new one.
        """
        self.session_id = session_id
        self.caller = caller
        self.config = config
        self.status = SessionStatus.OPENING
        self._now_s = self._opened_at_s = 0.0
        self._load = load
        self._deadline_s: float | None = None
        self._end_reason = EndReason.COMPLETED
        self._segmenter = Segmenter(config.endpointing)
        self._audio = AudioBuffer()
        self._utterances: list[Utterance] = []  # those whose final has not left, in order; the last may be open
        self._utterance_count = 0
        self._spoken = SpokenLanguage()  # by the finals that have left
        self._checkpoint = checkpoint  # where it goes on from
        self._safe_places = SafePlaces(checkpoint)
        self._just_begun = False  # the open utterance, with the windows that were observed last
        self._events: list[SessionEvent] = []
        self._open_requests = OpenRequests(new_request_id)

    # --- outputs

    def take_events(self) -> list[SessionEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def take_requests(self) -> list[RecognitionRequest]:
        """What to recognize; each must be answered by ``recognized`` or ``recognition_failed`` unless withdrawn."""
        return self._open_requests.take()

    def take_withdrawn(self) -> list[str]:
        """Requests whose answer is of no use any more; a late answer to one is ignored."""
        return self._open_requests.take_withdrawn()

    def take_windows(self) -> bytes:
        """The audio in which speech has not been looked for yet: whole windows, zero-padded at the end of the input.

        The answer is due by ``voice_observed`` before the next call.
        """
        return self._audio.take_windows(padded=self.status is SessionStatus.DRAINING)

    def take_checkpoint(self) -> SessionCheckpoint | None:
        """The newest place from which everything that has not left yet can be heard again, if there is a new one."""
        place = self._safe_places.take(self._utterance_count - len(self._utterances))
        return None if place is None else replace(place, language=self._spoken.code)

    @property
    def owed_finals(self) -> int:
        """Utterances that ended and may still have to be heard; the owner stops reading audio when they are too many."""
        return sum(utterance.owed for utterance in self._utterances)

    # --- inputs

    def open(self, now_s: float) -> None:
        """Begins to listen."""
        self._expect(SessionStatus.OPENING)
        self._now_s = self._opened_at_s = now_s
        self.status = SessionStatus.LISTENING
        if self._checkpoint is None:
            self._emit(SessionStarted(session_id=self.session_id, at_s=now_s, caller=self.caller, config=self.config))
        else:
            self._go_on_from(self._checkpoint)

    def audio_received(self, pcm: bytes) -> None:
        """Takes canonical audio: whole samples, any number of them."""
        self._expect(SessionStatus.LISTENING)
        self._audio.append(pcm)

    def voice_observed(self, probabilities: Sequence[float]) -> None:
        """Takes the speech probabilities of the windows that were taken last, in order. Ignored on a closed session."""
        if self.status is SessionStatus.CLOSED:
            return
        before = self._utterance_count
        for probability in probabilities:
            for event in self._segmenter.observe(probability):
                self._apply(event)
        self._just_begun = self._utterance_count > before
        self._request_partial()
        self._forget_audio()
        self._finish_if_heard_out()

    @property
    def quiet(self) -> bool:
        """Whether audio is taken, but nobody speaks, and nothing is owed."""
        return self.status is SessionStatus.LISTENING and not self._utterances

    @property
    def at_safe_place(self) -> bool:
        """Whether the session could be taken up again here, between utterances or where one has just begun, and might be."""
        if self.status is not SessionStatus.LISTENING or self._segmenter.paused:
            return False
        if self._segmenter.speaking and not self._just_begun:
            return False
        return self._safe_places.wants(self._completed_utterances, self._segmenter.position)

    def note_safe_place(self, voice: bytes) -> None:
        """Remembers this place, with the state that the voice activity stream has here."""
        self._safe_places.note(
            SessionCheckpoint(
                replay_from=min(self._segmenter.retained_from, self._heard),
                utterances=self._completed_utterances,
                segmenter=self._segmenter.state,
                language=None,  # that is told by finals which may still be owed
                options=self.config.options,
                voice=voice,
            )
        )

    def options_changed(self, options: RecognitionOptions) -> None:
        """Applies other options from the next request on."""
        self.config = replace(self.config, options=options)

    def endpointing_changed(self, endpointing: EndpointingPolicy) -> None:
        """Goes on by another policy; the greatest length holds from the next utterance on."""
        self._expect(SessionStatus.LISTENING)
        self.config = replace(self.config, endpointing=endpointing)
        self._segmenter.change_policy(endpointing)
        self._emit(EndpointingChanged(session_id=self.session_id, at_s=self._now_s, endpointing=endpointing))

    def endpoint_forced(self) -> None:
        """Ends the open utterance, if there is one, at the end of the audio so far.

        In audio that has been heard before, this has been done before.
        """
        self._expect(SessionStatus.LISTENING)
        if self._audio.end < self._segmenter.position:
            return
        utterance = self._open_utterance
        for event in self._segmenter.force_endpoint(self._audio.end):
            self._apply(event)
        index = None if utterance is None else utterance.index
        self._emit(
            EndpointForced(session_id=self.session_id, at_s=self._now_s, position=self._audio.end, utterance=index)
        )

    def audio_discarded(self) -> None:
        """Drops the open utterance, if there is one, and all audio so far that no ended utterance needs."""
        self._expect(SessionStatus.LISTENING)
        utterance = self._open_utterance
        self._segmenter.discard(self._audio.end)
        if utterance is not None:
            self._open_requests.withdraw(utterance.partial_request)
            self._open_requests.withdraw(utterance.forget_speculation())
            self._utterances.remove(utterance)
        index = None if utterance is None else utterance.index
        self._emit(
            AudioDiscarded(session_id=self.session_id, at_s=self._now_s, position=self._audio.end, utterance=index)
        )
        self._forget_audio()

    def recognized(self, request_id: str, hypothesis: Hypothesis) -> None:
        """Takes the answer to a request, its positions counted from the start of the request's audio."""
        for utterance in self._utterances:
            if utterance.partial_request == request_id:
                utterance.partial_request = None
                self._show(utterance, hypothesis, utterance.partial_position)
            elif utterance.final_request == request_id:
                heard, first = hypothesis.shifted(utterance.start), utterance.outcome
                self._settle(utterance, second_hearing(first, heard) if isinstance(first, Hypothesis) else heard)
                break
        self._finish_if_heard_out()

    def recognition_failed(self, request_id: str, code: str, message: str) -> None:
        """Takes the news that a request will not be answered: no loss for a partial; a failed final is reported."""
        for utterance in self._utterances:
            if utterance.partial_request == request_id:
                utterance.partial_request = None
            elif utterance.final_request == request_id:
                if utterance.span is None:
                    utterance.forget_speculation()  # the real final will be asked for at the endpoint
                else:  # if it was the second time that this one was heard, the first counts
                    self._settle(utterance, utterance.outcome or Failure(code, message))
                break
        self._finish_if_heard_out()

    def end_input(self, deadline_s: float | None = None, reason: EndReason = EndReason.COMPLETED) -> None:
        """No more audio will come, for the given reason; what is owed by ``deadline_s`` will be reported as failed then."""
        self._expect(SessionStatus.LISTENING)
        if self._checkpoint is not None and self._audio.end < self._checkpoint.position:
            raise ReplayIncomplete(
                f"The audio up to sample {self._checkpoint.position} has been heard before; it ended at {self._audio.end}.",
                hint="Send the audio from the position that the session was resumed at.",
            )
        self.status = SessionStatus.DRAINING
        self._deadline_s = deadline_s
        self._end_reason = reason
        self._finish_if_heard_out()

    def time_passed(self, now_s: float) -> None:
        """Tells the time; past the drain deadline the session gives up what is still owed."""
        self._now_s = now_s
        if self.status is SessionStatus.DRAINING and self._deadline_s is not None and now_s >= self._deadline_s:
            self._give_up("timed_out", "The final did not come before the drain deadline.", EndReason.TIMED_OUT)

    def abort(self, reason: EndReason) -> None:
        """Ends the session at once; what is owed is withdrawn. Harmless on a closed session."""
        if self.status is not SessionStatus.CLOSED:
            self._withdraw_all()
            self._close(reason)

    def _go_on_from(self, checkpoint: SessionCheckpoint) -> None:
        self.config = replace(self.config, options=checkpoint.options)
        self._segmenter = Segmenter(self.config.endpointing, checkpoint.segmenter)
        self._audio = AudioBuffer(checkpoint.replay_from, taken=checkpoint.position)
        self._spoken = SpokenLanguage(checkpoint.language)
        self._utterance_count = checkpoint.utterances
        self._emit(
            SessionResumed(
                session_id=self.session_id,
                at_s=self._now_s,
                caller=self.caller,
                config=self.config,
                utterances=checkpoint.utterances,
                replay_from=checkpoint.replay_from,
            )
        )
        if checkpoint.segmenter.start is not None:
            self._begin_utterance(checkpoint.segmenter.start)

    # --- the life of an utterance

    @property
    def _open_utterance(self) -> Utterance | None:
        return self._utterances[-1] if self._segmenter.speaking else None

    def _apply(self, event: SegmenterEvent) -> None:
        match event:
            case SpeechBegan(start):
                self._begin_utterance(start)
            case SpeechPaused(span):
                if self.config.live:
                    self._request_final(self._utterances[-1], self._received_part(span))
            case SpeechResumed():
                self._open_requests.withdraw(self._utterances[-1].forget_speculation())
            case SpeechFinished(span, forced):
                self._end_utterance(self._utterances[-1], self._received_part(span), forced)

    @property
    def _completed_utterances(self) -> int:
        return self._utterance_count - self._segmenter.speaking

    def _begin_utterance(self, start: int) -> None:
        index = self._utterance_count
        self._utterance_count += 1
        self._utterances.append(Utterance(index, start, partial_position=self._segmenter.spoken_from))
        self._emit(SpeechStarted(session_id=self.session_id, at_s=self._now_s, utterance=index, start=start))

    def _end_utterance(self, utterance: Utterance, span: SampleSpan, forced: bool) -> None:
        utterance.span = span
        utterance.endpoint_at_s = self._now_s
        self._emit(
            SpeechEnded(
                session_id=self.session_id, at_s=self._now_s, utterance=utterance.index, span=span, forced=forced
            )
        )
        self._open_requests.withdraw(utterance.partial_request)
        utterance.partial_request = None
        if utterance.final_span != span:  # no final was begun in the pause, or it failed
            self._request_final(utterance, span)
        self._release_finals()

    def _settle(self, utterance: Utterance, outcome: Hypothesis | Failure) -> None:
        utterance.final_request = None
        utterance.outcome = outcome
        if not isinstance(outcome, Hypothesis) or not is_doubtful(outcome):
            utterance.doubtful = None
        if utterance.span is None and isinstance(outcome, Hypothesis) and utterance.final_span is not None:
            self._show(utterance, outcome, utterance.final_span.end)
            self._end_sentence(outcome.recognized_text)
        self._release_finals()

    def _end_sentence(self, text: str) -> None:
        """If the text of an utterance in a pause is a sentence, lets a shorter silence end it, where that is wanted."""
        if self.config.endpointing.sentence_silence_ms is not None and ends_sentence(text):
            for event in self._segmenter.sentence_complete():
                self._apply(event)

    def _show(self, utterance: Utterance, hypothesis: Hypothesis, end: int) -> None:
        shown = utterance.show(hypothesis, end) if self.config.partials.enabled else None
        if shown is not None:
            self._emit(
                PartialRecognized(
                    session_id=self.session_id,
                    at_s=self._now_s,
                    utterance=utterance.index,
                    revision=utterance.revision,
                    span=SampleSpan(utterance.start, end),
                    stable=shown.stable,
                    volatile=shown.volatile,
                    language=hypothesis.language,
                )
            )

    def _release_finals(self) -> None:
        """Lets out the outcomes at the head of the line: in the order of the utterances, not of the answers."""
        while self._utterances and self._utterances[0].settled:
            utterance = self._utterances[0]
            if self._hear_again(utterance):
                return
            self._utterances.pop(0)
            event = utterance.told(self.session_id, self._now_s)
            if isinstance(event, UtteranceFinalized):
                self._spoken = self._spoken.after(event.hypothesis, len(event.span))
            self._emit(event)

    def _hear_again(self, utterance: Utterance) -> bool:
        """Asks for the final once more, in the language of the session, if its own is to be doubted."""
        asked, utterance.doubtful = utterance.doubtful, None
        if asked is None or not isinstance(utterance.outcome, Hypothesis) or not self._spoken.doubts(utterance.outcome):
            return False
        options = replace(asked.options, language=self._spoken.code)
        utterance.final_request = self._open_requests.ask(
            replace(asked, request_id=self._open_requests.new_id(), options=options)
        )
        return True

    # --- requests

    def _request_partial(self) -> None:
        """Asks for the text so far, if it is time, and if no earlier answer is still owed: partials are perishable.

        Not in silence: speech that goes on brings more words, and a pause its final.
        """
        policy = self.config.partials
        if not policy.enabled or not self._segmenter.speaking or self._segmenter.silent:
            return
        utterance, heard = self._utterances[-1], self._heard
        if utterance.partial_request is not None:
            return
        # In whole windows, the nearest number of them: rounded up, 300 ms would be 384 with packets of 100 ms.
        interval = round(samples_from_ms(policy.interval_at_ms(self._load())) / WINDOW_SAMPLES) * WINDOW_SAMPLES
        if heard - utterance.partial_position >= interval:
            utterance.partial_position = heard
            span, settled = SampleSpan(utterance.start, heard), utterance.settled_text
            request = self._request(utterance, RecognitionKind.PARTIAL, span, settled)
            if request.options.language is None:
                request = replace(request, expected_language=self._spoken.code)
            utterance.partial_request = self._open_requests.ask(request)

    def _request_final(self, utterance: Utterance, span: SampleSpan) -> None:
        request = self._request(utterance, RecognitionKind.FINAL, span, "")
        utterance.final_span = span
        utterance.final_request = self._open_requests.ask(request)
        utterance.doubtful = request if request.options.language is None else None
        utterance.outcome = None

    def _request(
        self, utterance: Utterance, kind: RecognitionKind, span: SampleSpan, settled_text: str
    ) -> RecognitionRequest:
        return RecognitionRequest(
            request_id=self._open_requests.new_id(),
            session_id=self.session_id,
            tenant=self.caller.tenant,
            utterance=utterance.index,
            kind=kind,
            span=span,
            pcm=self._audio.part(span),
            options=self.config.options,
            settled_text=settled_text,
            live=self._live,
        )

    def _withdraw_all(self) -> None:
        for utterance in self._utterances:
            self._open_requests.withdraw(utterance.partial_request)
            self._open_requests.withdraw(utterance.final_request)

    # --- the end

    @property
    def _live(self) -> bool:
        """Whether this is being spoken just now: audio that comes faster than anybody speaks was recorded before."""
        begun, allowed_s = (
            (0, MAX_AHEAD_S) if self._checkpoint is None else (self._checkpoint.position, MAX_AHEAD_RESUMED_S)
        )
        ahead_s = s_from_samples(self._audio.end - begun) - (self._now_s - self._opened_at_s)
        return self.config.live and ahead_s <= allowed_s

    @property
    def _heard(self) -> int:
        """Samples in which speech has been looked for, or is known not to matter, without the padding of the last window."""
        return min(max(self._segmenter.position, self._segmenter.settled_until), self._audio.end)

    def _received_part(self, span: SampleSpan) -> SampleSpan:
        """The span without the zeros that pad the last window."""
        return SampleSpan(span.start, min(span.end, self._audio.end))

    def _finish_if_heard_out(self) -> None:
        """Closes the session when the input has ended, all of it has been listened to, and nothing is owed."""
        if self.status is not SessionStatus.DRAINING or self._segmenter.position < self._audio.end:
            return
        for event in self._segmenter.finish(self._audio.end):
            self._apply(event)
        if not self._utterances and self.status is SessionStatus.DRAINING:
            self._close(self._end_reason)

    def _give_up(self, code: str, message: str, reason: EndReason) -> None:
        for event in self._segmenter.finish(self._heard):
            self._apply(event)
        self._withdraw_all()
        for utterance in self._utterances:
            utterance.final_request = utterance.doubtful = None  # of what was to be heard again, the first counts
            utterance.outcome = utterance.outcome or Failure(code, message)
        self._release_finals()
        self._close(reason)

    def _close(self, reason: EndReason) -> None:
        self.status = SessionStatus.CLOSED
        self._emit(
            SessionEnded(
                session_id=self.session_id,
                at_s=self._now_s,
                reason=reason,
                received_samples=self._audio.end,
                decoded_samples=self._heard,
                finalized_samples=self._utterances[0].start if self._utterances else self._heard,
            )
        )
        self._utterance_count -= len(self._utterances)  # they are withdrawn: no place behind them is safe
        self._utterances.clear()
        self._audio.forget_all()

    def _forget_audio(self) -> None:
        """Frees what no utterance can need any more."""
        self._audio.forget_before(min(self._segmenter.retained_from, self._segmenter.position, self._audio.end))

    def _emit(self, event: SessionEvent) -> None:
        self._events.append(event)

    def _expect(self, status: SessionStatus) -> None:
        if self.status is not status:
            raise IllegalTransition(f"The session is {self.status}; this needs it {status}.")
