"""Texts of any recognizer are processed, whether they are shown or told."""

import asyncio
import threading
from dataclasses import replace
from itertools import pairwise

import pytest

from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFinalized
from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import (
    Casing,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
    Task,
)
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.number_grammars import NumberGrammars
from asr_service.infrastructure.text.numbers_step import NumbersStep
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_processing_recognizer import TextProcessingRecognizer
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fixtures.live_sessions import Studio, sound
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.tidiness import everybody_waits

TRANSLATOR = replace(CAPABILITIES, translation=True)


class Threads:
    """Grammars that write down which threads they run in, and every number as 1."""

    def __init__(self) -> None:
        self.seen: set[threading.Thread] = set()

    def rewrite(self, text: str, language: str, operator: str) -> str:
        self.seen.add(threading.current_thread())
        return "1"


def processed(answer: Answer, *words: str) -> TextProcessingRecognizer:
    fake = FakeRecognizer(lambda _: answer, capabilities=TRANSLATOR)
    return TextProcessingRecognizer(
        fake, TextChain.of(MaskingStep(words, optional=False), NumbersStep(NumberGrammars()))
    )


def asking(kind: RecognitionKind = RecognitionKind.FINAL, **options: object) -> RecognitionRequest:
    return replace(recognition_request(kind=kind), options=replace(RecognitionOptions(), **options))  # type: ignore[arg-type]


async def test_finals_have_their_numbers_written_and_their_words_with_them() -> None:
    hypothesis = await processed("twenty five cats").recognize(asking(numbers=Numbers.WRITTEN))
    assert hypothesis.text == "25 cats"
    assert [word.text for word in hypothesis.words] == ["25", "cats"]


async def test_partials_are_masked_at_once() -> None:
    hypothesis = await processed("damn cats", "damn").recognize(asking(RecognitionKind.PARTIAL))
    assert hypothesis.text == "**** cats"


async def test_nothing_heard_is_nothing_to_do() -> None:
    assert (await processed("").recognize(asking(numbers=Numbers.WRITTEN))).text == ""


async def test_a_translation_is_written_as_english() -> None:
    translated = Hypothesis("twenty cats", language="zh")
    request = asking(numbers=Numbers.WRITTEN, task=Task.TRANSLATE)
    assert (await processed(translated).recognize(request)).text == "20 cats"


@pytest.mark.parametrize(("given", "written"), [("zh", "20个人"), ("fr", "二十个人"), (None, "二十个人")])
async def test_a_language_that_was_given_counts_where_the_engine_says_none(given: str | None, written: str) -> None:
    hypothesis = await processed(Hypothesis("二十个人")).recognize(asking(numbers=Numbers.WRITTEN, language=given))
    assert hypothesis.text == written


async def test_grammars_run_beside_the_event_loop() -> None:
    threads = Threads()
    chain = TextChain.of(MaskingStep(optional=False), NumbersStep(threads))
    recognizer = TextProcessingRecognizer(FakeRecognizer(lambda _: "twenty"), chain)
    assert (await recognizer.recognize(asking(numbers=Numbers.WRITTEN))).text == "1"
    assert threads.seen
    assert threading.current_thread() not in threads.seen


async def test_it_says_what_is_made_of_texts() -> None:
    capabilities = processed("").capabilities
    assert capabilities.text.written_numbers == {"en", "zh"}
    assert replace(capabilities, text=TRANSLATOR.text) == TRANSLATOR


async def test_a_session_shows_what_stays_and_tells_the_engine_its_own_words() -> None:
    """A number and a listed word grow: what is stable is only extended, and finals are written as asked for."""
    said = ["i", "paid", "twenty", "five", "bad", "luck", "dollars", "and", "two", "cents"]

    def growing(request: RecognitionRequest) -> str:
        return " ".join(said[: len(request.span) // 8_000])

    fake = FakeRecognizer(growing)
    chain = TextChain.of(MaskingStep(["bad luck"], optional=False), NumbersStep(NumberGrammars()))
    studio = Studio(recognizer=TextProcessingRecognizer(fake, chain))
    options = RecognitionOptions(numbers=Numbers.WRITTEN, casing=Casing.SENTENCE)
    session = studio.open(SessionConfig(options=options, partials=PartialPolicy(interval_ms=300)))
    running = asyncio.create_task(session.run())
    for _ in range(50):
        await session.push_audio(sound(100))
        await everybody_waits()  # so that a partial is answered before the next one is due
    await session.end_input()
    await running
    partials, (final,) = studio.listener.of_type(PartialRecognized), studio.listener.of_type(UtteranceFinalized)
    stable = [partial.stable for partial in partials]
    assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    assert not any("bad" in partial.stable + partial.volatile for partial in partials)
    assert final.hypothesis.text.startswith("I paid 25 *** ****")
    assert final.hypothesis.draft is None
    settled = [request.settled_text for request in fake.requests]
    assert any("bad luck" in text for text in settled)
    assert not any("I" in text or "*" in text for text in settled)
