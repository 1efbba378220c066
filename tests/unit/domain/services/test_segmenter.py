"""The segmenter window by window. Positions are written in windows (``W`` samples) wherever they fall on one."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.services.segmenter import (
    CANDIDATE_GAP_MS,
    HYSTERESIS,
    TAIL_MS,
    WEAK_GAP_MS,
    Segmenter,
    SegmenterEvent,
    SpeechBegan,
    SpeechFinished,
    SpeechPaused,
    SpeechResumed,
)
from asr_service.domain.value_objects.asr_config import EndpointingPolicy
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from tests.unit.domain.strategies import endpointing_policies, tracks

W = WINDOW_SAMPLES
SPEECH, BETWEEN, QUIET = 0.95, 0.4, 0.01
TAIL = samples_from_ms(TAIL_MS)  # six and a quarter windows
SILENCE_WINDOWS = 10

POLICY = EndpointingPolicy(silence_ms=320, min_speech_ms=96, max_utterance_ms=2_000, prefix_padding_ms=64)


def observed(segmenter: Segmenter, *runs: tuple[float, int]) -> list[SegmenterEvent]:
    """What comes of runs of windows, each of one probability."""
    return [event for probability, windows in runs for _ in range(windows) for event in segmenter.observe(probability)]


def segmented(*runs: tuple[float, int], policy: EndpointingPolicy = POLICY) -> list[SegmenterEvent]:
    return observed(Segmenter(policy), *runs)


def finished(start: int, end: int, *, forced: bool = False) -> SpeechFinished:
    return SpeechFinished(SampleSpan(start, end), forced)


class TestTheBeginning:
    def test_speech_that_lasts_long_enough_begins_an_utterance_with_its_padding(self) -> None:
        assert segmented((QUIET, 10), (SPEECH, 2)) == []
        assert segmented((QUIET, 10), (SPEECH, 3)) == [SpeechBegan(8 * W)]

    def test_a_click_begins_nothing(self) -> None:
        assert segmented((QUIET, 10), (SPEECH, 2), (QUIET, 10)) == []

    def test_clicks_apart_from_each_other_do_not_add_up(self) -> None:
        click = ((SPEECH, 2), (QUIET, samples_from_ms(CANDIDATE_GAP_MS) // W))
        assert segmented(*click * 20) == []

    def test_a_shorter_gap_does_not_divide_speech(self) -> None:
        assert segmented((QUIET, 10), (SPEECH, 1), (QUIET, 2), (SPEECH, 2)) == [SpeechBegan(8 * W)]

    def test_shorter_gaps_do_not_add_up(self) -> None:
        assert segmented((SPEECH, 1), *((QUIET, 2), (SPEECH, 1)) * 2) == [SpeechBegan(0)]

    @pytest.mark.parametrize("threshold", [0.2, 0.5, 0.95])
    def test_speech_is_what_reaches_the_threshold(self, threshold: float) -> None:
        policy = EndpointingPolicy(threshold=threshold, min_speech_ms=32)
        assert segmented((threshold - 0.001, 50), policy=policy) == []
        assert segmented((threshold, 1), policy=policy) == [SpeechBegan(0)]

    def test_weak_windows_neither_count_as_speech_nor_divide_it(self) -> None:
        assert segmented((QUIET, 10), (SPEECH, 1), (BETWEEN, 5), (SPEECH, 1)) == []
        assert segmented((QUIET, 10), (SPEECH, 1), (BETWEEN, 5), (SPEECH, 2)) == [SpeechBegan(8 * W)]

    def test_a_long_weak_stretch_divides_a_click_from_what_follows(self) -> None:
        weak = -(-samples_from_ms(WEAK_GAP_MS) // W)
        began = segmented((SPEECH, 1), (BETWEEN, weak), (SPEECH, 2), (BETWEEN, weak), (SPEECH, 3))
        assert began == [SpeechBegan((3 + 2 * weak - 2) * W)]

    def test_the_padding_does_not_reach_before_the_stream(self) -> None:
        assert segmented((QUIET, 1), (SPEECH, 3)) == [SpeechBegan(0)]

    def test_the_padding_does_not_reach_into_the_utterance_before(self) -> None:
        policy = EndpointingPolicy(silence_ms=100, min_speech_ms=32, prefix_padding_ms=1_000)
        events = segmented((SPEECH, 5), (QUIET, 4), (SPEECH, 1), policy=policy)
        end = 5 * W + samples_from_ms(100)
        assert events == [SpeechBegan(0), finished(0, end), SpeechBegan(end)]

    def test_without_padding_it_begins_at_the_first_speech_window(self) -> None:
        policy = EndpointingPolicy(prefix_padding_ms=0)
        assert segmented((QUIET, 10), (SPEECH, 3), policy=policy) == [SpeechBegan(10 * W)]

    def test_a_hesitant_beginning_leaves_half_of_the_utterance_to_what_follows(self) -> None:
        policy = EndpointingPolicy(min_speech_ms=700, max_utterance_ms=2_000, prefix_padding_ms=300)
        (began,) = segmented(*((SPEECH, 1), (BETWEEN, 5)) * 21, (SPEECH, 1), policy=policy)
        assert began == SpeechBegan(127 * W - samples_from_ms(1_000))


class TestPausesAndEndpoints:
    def test_from_pause_to_endpoint(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5))
        assert observed(segmenter, (QUIET, 6)) == []
        assert observed(segmenter, (QUIET, 1)) == [SpeechPaused(SampleSpan(0, 5 * W + TAIL))]
        assert segmenter.paused
        assert observed(segmenter, (QUIET, 2)) == []
        assert observed(segmenter, (QUIET, 1)) == [finished(0, 5 * W + TAIL)]
        assert not segmenter.paused
        assert not segmenter.speaking

    def test_speech_after_a_pause_goes_on(self) -> None:
        events = segmented((SPEECH, 5), (QUIET, 9), (SPEECH, 1), (QUIET, 10))
        assert events == [
            SpeechBegan(0),
            SpeechPaused(SampleSpan(0, 5 * W + TAIL)),
            SpeechResumed(),
            SpeechPaused(SampleSpan(0, 15 * W + TAIL)),
            finished(0, 15 * W + TAIL),
        ]

    def test_a_window_at_the_edge_of_the_hysteresis_is_no_silence(self) -> None:
        edge = POLICY.threshold - HYSTERESIS
        assert segmented((SPEECH, 5), (edge, 20)) == [SpeechBegan(0)]
        assert segmented((SPEECH, 1), (edge, 5), (SPEECH, 2)) == [SpeechBegan(0)]

    def test_a_window_at_the_threshold_is_speech_enough_to_go_on(self) -> None:
        assert segmented((SPEECH, 5), (QUIET, 9), (POLICY.threshold, 1), (QUIET, 1))[2:] == [SpeechResumed()]

    def test_silence_shorter_than_the_tail_is_not_worth_a_word(self) -> None:
        assert segmented((SPEECH, 5), (QUIET, 6), (SPEECH, 5), (QUIET, 6)) == [SpeechBegan(0)]

    def test_weak_windows_do_not_begin_a_silence(self) -> None:
        assert segmented((SPEECH, 5), (BETWEEN, 40)) == [SpeechBegan(0)]

    def test_weak_windows_do_not_interrupt_a_silence(self) -> None:
        events = segmented((SPEECH, 5), (QUIET, 1), (BETWEEN, 9))
        assert events[-1] == finished(0, 5 * W + TAIL)

    @pytest.mark.parametrize(("threshold", "below"), [(0.5, 0.349), (0.95, 0.799), (0.15, 0.0099), (0.155, 0.0099)])
    def test_silence_begins_below_the_hysteresis(self, threshold: float, below: float) -> None:
        policy = EndpointingPolicy(threshold=threshold, max_utterance_ms=20_000)
        kept = segmented((SPEECH, 5), (below + 0.002, 20), policy=policy)
        ended = segmented((SPEECH, 5), (below, 20), policy=policy)
        assert (len(kept), type(ended[-1])) == (1, SpeechFinished)

    @pytest.mark.parametrize("silence_ms", [100, 199, 200, 201, 500, 1_000, 10_000])
    def test_the_silence_of_the_policy_is_what_ends_an_utterance(self, silence_ms: int) -> None:
        policy = EndpointingPolicy(silence_ms=silence_ms)
        windows = -(-samples_from_ms(silence_ms) // W)
        segmenter = Segmenter(policy)
        before = observed(segmenter, (SPEECH, 5), (QUIET, windows - 1))
        assert not any(isinstance(event, SpeechFinished) for event in before)
        (end,) = observed(segmenter, (QUIET, 1))[-1:]
        assert end == finished(0, 5 * W + min(TAIL, samples_from_ms(silence_ms)))

    def test_an_endpoint_within_the_tail_comes_without_a_pause(self) -> None:
        policy = EndpointingPolicy(silence_ms=150)
        assert segmented((SPEECH, 5), (QUIET, 5), policy=policy) == [
            SpeechBegan(0),
            finished(0, 5 * W + samples_from_ms(150)),
        ]

    def test_utterances_follow_each_other(self) -> None:
        turn = ((SPEECH, 5), (QUIET, SILENCE_WINDOWS + 10))
        events = [event for event in segmented(*turn * 3) if not isinstance(event, SpeechPaused)]
        starts = [0, 23 * W, 48 * W]
        ends = [5 * W + TAIL, 30 * W + TAIL, 55 * W + TAIL]
        expected = [(SpeechBegan(start), finished(start, end)) for start, end in zip(starts, ends, strict=True)]
        assert events == [event for pair in expected for event in pair]


class TestCompleteSentences:
    """With ``sentence_silence_ms`` of 8 windows; silence of 10 ends any utterance, and 7 are a pause."""

    POLICY = replace(POLICY, sentence_silence_ms=256)
    PAUSED = ((SPEECH, 5), (QUIET, 7))
    END = finished(0, 5 * W + TAIL)

    def paused(self, policy: EndpointingPolicy | None = None) -> Segmenter:
        segmenter = Segmenter(policy or self.POLICY)
        observed(segmenter, *self.PAUSED)
        return segmenter

    def test_a_shorter_silence_ends_one(self) -> None:
        segmenter = self.paused()
        assert segmenter.sentence_complete() == []
        assert observed(segmenter, (QUIET, 1)) == [self.END]
        assert not segmenter.speaking

    def test_one_that_is_known_late_ends_at_once(self) -> None:
        segmenter = self.paused()
        assert observed(segmenter, (QUIET, 1)) == []
        assert segmenter.sentence_complete() == [self.END]
        assert not segmenter.paused
        assert segmenter.sentence_complete() == []

    def test_speech_that_resumes_forgets_it(self) -> None:
        segmenter = self.paused()
        segmenter.sentence_complete()
        assert observed(segmenter, (SPEECH, 1)) == [SpeechResumed()]
        assert observed(segmenter, (QUIET, 9))[1:] == []
        assert observed(segmenter, (QUIET, 1)) == [finished(0, 13 * W + TAIL)]

    def test_the_next_utterance_does_not_know_of_it(self) -> None:
        segmenter = self.paused()
        segmenter.sentence_complete()
        observed(segmenter, (QUIET, 1))
        assert not any(isinstance(event, SpeechFinished) for event in observed(segmenter, (SPEECH, 5), (QUIET, 9)))

    def test_it_means_nothing_without_a_pause(self) -> None:
        segmenter = Segmenter(self.POLICY)
        assert segmenter.sentence_complete() == []
        observed(segmenter, (SPEECH, 5))
        assert segmenter.sentence_complete() == []
        observed(segmenter, (QUIET, 6))
        assert segmenter.sentence_complete() == []
        assert observed(segmenter, (QUIET, 3)) == [SpeechPaused(SampleSpan(0, 5 * W + TAIL))]

    def test_a_silence_within_the_tail_ends_with_the_pause(self) -> None:
        assert self.paused(replace(POLICY, sentence_silence_ms=100)).sentence_complete() == [self.END]

    def test_without_the_option_it_changes_nothing(self) -> None:
        segmenter = self.paused(POLICY)
        assert segmenter.sentence_complete() == []
        assert observed(segmenter, (QUIET, 2)) == []
        assert observed(segmenter, (QUIET, 1)) == [self.END]


class TestCuts:
    def test_long_speech_is_cut_at_its_quietest_place_and_goes_on_without_a_gap(self) -> None:
        events = segmented((SPEECH, 40), (0.7, 1), (SPEECH, 40))
        cut = 40 * W + W // 2
        assert events == [SpeechBegan(0), finished(0, cut, forced=True), SpeechBegan(cut)]

    def test_100_ms_of_quiet_are_better_than_one_lucky_window(self) -> None:
        events = segmented((SPEECH, 40), (0.6, 1), (SPEECH, 4), (0.7, 3), (SPEECH, 30))
        assert events[1] == finished(0, 46 * W + W // 2, forced=True)

    def test_of_equal_places_the_latest_is_taken(self) -> None:
        events = segmented((SPEECH, 35), (0.7, 3), (SPEECH, 5), (0.7, 3), (SPEECH, 30))
        assert events[1] == finished(0, 44 * W + W // 2, forced=True)

    def test_quiet_in_the_first_half_is_not_considered(self) -> None:
        began, cut, _ = segmented((QUIET, 100), (SPEECH, 10), (0.5, 5), (SPEECH, 60))
        assert began == SpeechBegan(98 * W)
        assert isinstance(cut, SpeechFinished)
        assert len(cut.span) > samples_from_ms(1_000)

    def test_a_quiet_place_is_found_until_the_last_window_but_one(self) -> None:
        assert segmented((SPEECH, 60), (0.6, 1), (SPEECH, 1))[1] == finished(0, 60 * W + W // 2, forced=True)

    def test_an_utterance_may_be_as_long_as_the_policy_says(self) -> None:
        policy = EndpointingPolicy(max_utterance_ms=64 * 32)
        assert segmented((SPEECH, 61), (QUIET, 2), policy=policy) == [SpeechBegan(0)]
        assert segmented((SPEECH, 61), (QUIET, 3), policy=policy)[1:] == [finished(0, 64 * W, forced=True)]

    def test_speech_without_an_end_is_cut_again_and_again(self) -> None:
        events = segmented(*((SPEECH, 40), (0.6, 1)) * 6)
        cuts = [40 * W + W // 2 + 41 * W * number for number in range(5)]
        begun = [event.start for event in events if isinstance(event, SpeechBegan)]
        ended = [(event.span, event.forced) for event in events if isinstance(event, SpeechFinished)]
        assert begun == [0, *cuts]
        assert ended == [(SampleSpan(start, end), True) for start, end in pairwise([0, *cuts])]

    def test_a_silence_that_has_begun_is_where_to_cut(self) -> None:
        events = segmented((SPEECH, 60), (QUIET, 2))
        assert events == [SpeechBegan(0), finished(0, 62 * W, forced=True)]

    def test_a_cut_in_a_pause_ends_where_the_pause_said(self) -> None:
        events = segmented((SPEECH, 54), (QUIET, 8))
        span = SampleSpan(0, 54 * W + TAIL)
        assert events == [SpeechBegan(0), SpeechPaused(span), SpeechFinished(span, forced=True)]

    def test_speech_that_resumes_where_the_cut_is_due_is_told_first(self) -> None:
        kinds = [type(event) for event in segmented((SPEECH, 50), (QUIET, 11 - 2), (SPEECH, 3))]
        assert kinds == [SpeechBegan, SpeechPaused, SpeechResumed, SpeechFinished, SpeechBegan]

    def test_an_endpoint_at_the_limit_is_an_endpoint(self) -> None:
        events = segmented((SPEECH, 52), (QUIET, 10))
        assert events[-1] == finished(0, 52 * W + TAIL)

    @given(tracks(), endpointing_policies(), st.booleans())
    def test_no_utterance_is_longer_than_the_policy_allows(
        self, track: list[float], policy: EndpointingPolicy, repeated: bool
    ) -> None:
        segmenter = Segmenter(policy)
        events = [event for probability in track * (1 + 4 * repeated) for event in segmenter.observe(probability)]
        events += segmenter.finish(segmenter.position)
        spans = [event.span for event in events if isinstance(event, SpeechFinished | SpeechPaused)]
        assert all(0 < len(span) <= samples_from_ms(policy.max_utterance_ms) for span in spans)


class TestForcedEndpoints:
    def test_one_ends_the_open_utterance_here(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5))
        assert segmenter.force_endpoint(segmenter.position) == [finished(0, 5 * W, forced=True)]
        assert not segmenter.speaking

    def test_one_in_a_silence_keeps_no_more_than_the_tail(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5), (QUIET, 2))
        assert segmenter.force_endpoint(segmenter.position) == [finished(0, 7 * W, forced=True)]
        observed(segmenter, (SPEECH, 5), (QUIET, 8))
        assert segmenter.force_endpoint(segmenter.position) == [finished(7 * W, 12 * W + TAIL, forced=True)]

    def test_one_without_an_utterance_is_nothing(self) -> None:
        segmenter = Segmenter(POLICY)
        assert segmenter.force_endpoint(segmenter.position) == []
        observed(segmenter, (SPEECH, 2))
        assert segmenter.force_endpoint(segmenter.position) == []

    def test_one_does_not_make_a_beginning_forget_its_speech(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 2))
        segmenter.force_endpoint(segmenter.position)
        assert observed(segmenter, (SPEECH, 1)) == [SpeechBegan(0)]

    def test_the_next_utterance_begins_no_earlier(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5))
        segmenter.force_endpoint(segmenter.position)
        assert observed(segmenter, (SPEECH, 3)) == [SpeechBegan(5 * W)]


class TestEndpointsOnDemand:
    POLICY = replace(POLICY, on_demand=True)

    def test_silence_ends_nothing(self) -> None:
        segmenter = Segmenter(self.POLICY)
        events = observed(segmenter, (SPEECH, 5), (QUIET, 30), (SPEECH, 5))
        assert [type(event) for event in events] == [SpeechBegan, SpeechPaused, SpeechResumed]
        assert segmenter.force_endpoint(segmenter.position) == [finished(0, 40 * W, forced=True)]

    def test_a_complete_sentence_ends_nothing_either(self) -> None:
        segmenter = Segmenter(replace(self.POLICY, sentence_silence_ms=200))
        observed(segmenter, (SPEECH, 5), (QUIET, 9))
        assert segmenter.sentence_complete() == []
        assert segmenter.speaking

    def test_the_greatest_length_does(self) -> None:
        segmenter = Segmenter(self.POLICY)
        events = observed(segmenter, (SPEECH, 5), (QUIET, 100))
        assert finished(0, 5 * W + TAIL, forced=True) in events
        assert not segmenter.speaking


class TestDiscarding:
    def test_the_open_utterance_is_forgotten_and_the_next_reaches_back_no_farther(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5))
        segmenter.discard(segmenter.position)
        assert not segmenter.speaking
        assert observed(segmenter, (SPEECH, 3)) == [SpeechBegan(5 * W)]

    def test_so_is_speech_that_has_hardly_begun(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 2))
        segmenter.discard(segmenter.position)
        assert observed(segmenter, (SPEECH, 2)) == []
        assert observed(segmenter, (SPEECH, 1)) == [SpeechBegan(2 * W)]

    def test_the_window_it_lies_in_begins_nothing(self) -> None:
        segmenter = Segmenter(replace(POLICY, min_speech_ms=32))
        segmenter.discard(100)
        assert observed(segmenter, (SPEECH, 1)) == []
        assert observed(segmenter, (SPEECH, 1)) == [SpeechBegan(100 + W - 100 - min(W - 100, 2 * W))]


class TestChangesOfPolicy:
    def test_the_open_utterance_ends_by_the_new_one(self) -> None:
        segmenter = Segmenter(replace(POLICY, on_demand=True))
        observed(segmenter, (SPEECH, 5), (QUIET, 4))
        segmenter.change_policy(POLICY)
        assert finished(0, 5 * W + TAIL) in observed(segmenter, (QUIET, 6))

    def test_its_greatest_length_stays_until_it_is_cut_and_its_rest_has_ended(self) -> None:
        segmenter = Segmenter(replace(POLICY, max_utterance_ms=20_000))
        observed(segmenter, (SPEECH, 200))
        segmenter.change_policy(POLICY)
        assert observed(segmenter, (SPEECH, 400)) == []
        cut, _ = observed(segmenter, (SPEECH, 30))
        observed(segmenter, (SPEECH, 30), (QUIET, 10))
        assert isinstance(cut, SpeechFinished)
        events = observed(segmenter, (SPEECH, 70))
        assert [len(event.span) <= 32_000 for event in events if isinstance(event, SpeechFinished)] == [True]

    def test_a_longer_padding_does_not_bring_back_what_was_forgotten(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (QUIET, 20))
        segmenter.change_policy(replace(POLICY, prefix_padding_ms=800))
        assert segmenter.retained_from == 18 * W
        assert observed(segmenter, (SPEECH, 3)) == [SpeechBegan(18 * W)]


class TestTheEndOfTheStream:
    def test_it_ends_the_open_utterance_inside_the_padded_window(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5))
        assert segmenter.finish(4 * W + 1) == [finished(0, 4 * W + 1)]

    def test_it_keeps_no_more_than_the_tail_of_a_silence(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5), (QUIET, 8))
        assert segmenter.finish(13 * W - 5) == [finished(0, 5 * W + TAIL)]

    def test_the_end_comes_before_the_tail_is_full(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (SPEECH, 5), (QUIET, 3))
        assert segmenter.finish(8 * W - 5) == [finished(0, 8 * W - 5)]

    def test_without_an_utterance_there_is_nothing_to_end(self) -> None:
        segmenter = Segmenter(POLICY)
        assert segmenter.finish(0) == []
        observed(segmenter, (SPEECH, 2), (QUIET, 1))
        assert segmenter.finish(3 * W) == []


class TestWhatMustBeKept:
    def test_in_silence_the_padding(self) -> None:
        segmenter = Segmenter(POLICY)
        assert (segmenter.position, segmenter.retained_from) == (0, 0)
        assert not segmenter.speaking
        assert not segmenter.paused
        observed(segmenter, (QUIET, 10))
        assert (segmenter.position, segmenter.retained_from) == (10 * W, 8 * W)

    def test_in_a_beginning_its_padding(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (QUIET, 10), (SPEECH, 2))
        assert segmenter.retained_from == 8 * W

    def test_in_an_utterance_all_of_it(self) -> None:
        segmenter = Segmenter(POLICY)
        observed(segmenter, (QUIET, 10), (SPEECH, 30))
        assert segmenter.retained_from == 8 * W
        assert segmenter.speaking

    def test_after_an_utterance_nothing_of_it(self) -> None:
        segmenter = Segmenter(EndpointingPolicy(silence_ms=100, prefix_padding_ms=1_000))
        observed(segmenter, (SPEECH, 30), (QUIET, 4))
        assert segmenter.retained_from == 30 * W + samples_from_ms(100)

    @given(tracks(), endpointing_policies())
    def test_nothing_that_was_let_go_is_needed_again(self, track: list[float], policy: EndpointingPolicy) -> None:
        segmenter, kept_from = Segmenter(policy), 0
        for probability in track:
            for event in segmenter.observe(probability):
                if isinstance(event, SpeechBegan):
                    assert event.start >= kept_from
            assert segmenter.retained_from >= kept_from
            kept_from = segmenter.retained_from
            assert segmenter.position - kept_from <= samples_from_ms(policy.max_utterance_ms)
