"""The Whisper engine with the real base model on real recordings."""

import itertools
import pickle
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from opencc import OpenCC

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import Numbers, RecognitionOptions, Task
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.domain.value_objects.language import Script
from asr_service.infrastructure.artifacts.recordings import Recording
from asr_service.infrastructure.asr.engine import EngineFailure
from asr_service.infrastructure.asr.faster_whisper_adapter import (
    FasterWhisperEngine,
    FasterWhisperEngineFactory,
    translates,
)
from asr_service.infrastructure.config.sections import TextSettings
from asr_service.recognizers import make_text_chain
from tests.fixtures.manuscripts import manuscript
from tests.fixtures.recordings import pcm_of
from tests.fixtures.sounds import as_pcm, noise, tone
from tests.fixtures.spoken_text import error_rate

SENTENCE = "0930"  # "he might even have been made amiable himself"
OTHER_SENTENCE = "sense_and_sensibility_01_austen_64kb-0880"  # "he was not an ill disposed young man"
MARGIN = bytes(SAMPLE_RATE_HZ)  # half a second


@pytest.fixture(scope="module")
def engine(whisper_base_directory: Path) -> FasterWhisperEngine:
    factory = FasterWhisperEngineFactory(whisper_base_directory, "whisper-base")
    return pickle.loads(pickle.dumps(factory))()


@pytest.fixture(scope="module")
def english(librivox: list[Recording]) -> Recording:
    return next(recording for recording in librivox if recording.path.stem.endswith(SENTENCE))


@pytest.fixture(scope="module")
def mandarin(recordings: list[Recording]) -> Recording:
    return next(recording for recording in recordings if recording.name.endswith("nihao_shijie.wav"))


def _request(
    pcm: bytes, *, kind: RecognitionKind = RecognitionKind.FINAL, settled: str = "", **options: object
) -> RecognitionRequest:
    return RecognitionRequest(
        request_id="rec_1",
        session_id="ses_1",
        tenant="tenant_1",
        utterance=0,
        kind=kind,
        span=SampleSpan(0, len(pcm) // 2),
        pcm=pcm,
        options=RecognitionOptions(**options),  # type: ignore[arg-type]
        settled_text=settled,
    )


def _heard(engine: FasterWhisperEngine, *requests: RecognitionRequest) -> list[Hypothesis]:
    outcomes = engine.recognize(requests)
    assert len(outcomes) == len(requests)
    hypotheses = [outcome for outcome in outcomes if isinstance(outcome, Hypothesis)]
    assert len(hypotheses) == len(requests), outcomes
    return hypotheses


def _said(recording: Recording) -> bytes:
    return MARGIN + pcm_of(recording.path) + MARGIN


def _named(recordings: Sequence[Recording], *names: str) -> list[Recording]:
    found = [recording for recording in recordings if recording.path.stem in names]
    assert len(found) == len(names)
    return found


def test_capabilities_are_those_of_the_model(engine: FasterWhisperEngine) -> None:
    capabilities = engine.capabilities
    assert (capabilities.engine, capabilities.model) == ("faster-whisper", "whisper-base")
    assert {"zh", "en", "ja", "ko"} <= capabilities.languages
    assert "yue" not in capabilities.languages  # a token of the third generation
    assert capabilities.word_times
    assert capabilities.hotwords
    assert capabilities.prompt
    assert capabilities.spoken_numbers
    assert capabilities.translation
    assert 28 <= capabilities.max_seconds < 30


def test_english_is_detected_and_understood(engine: FasterWhisperEngine, english: Recording) -> None:
    (hypothesis,) = _heard(engine, _request(pcm_of(english.path)))
    assert error_rate(english.reference, hypothesis.text, "en") == 0
    assert hypothesis.language == "en"
    assert hypothesis.language_confidence is not None
    assert 0.9 < hypothesis.language_confidence <= 1
    assert hypothesis.average_logprob is not None
    assert -1 < hypothesis.average_logprob < 0
    assert hypothesis.no_speech_probability is not None
    assert hypothesis.no_speech_probability < 0.4
    assert hypothesis.compression_ratio is not None
    assert 0 < hypothesis.compression_ratio < 2.4


def test_a_phrase_that_fills_its_audio_is_heard_whole_wherever_it_is_cut(
    engine: FasterWhisperEngine, librivox: list[Recording]
) -> None:
    (phrase,) = _named(librivox, "goforward")
    pcm = phrase.path.read_bytes()
    cuts_ms = ((192, 2_250), (224, 2_375), (256, 2_500), (448, 2_375), (480, 2_250), (512, 2_500))
    pieces = [pcm[start_ms * 32 : end_ms * 32] for start_ms, end_ms in cuts_ms]
    hypotheses = _heard(engine, *(_request(piece, language="en", beam_size=1) for piece in pieces))
    texts = [hypothesis.text for hypothesis in hypotheses]
    assert [error_rate(phrase.reference, text, "en") for text in texts] == [0] * len(texts), texts


def test_speech_is_translated_into_english_beside_others_that_are_not(
    engine: FasterWhisperEngine, mandarin: Recording
) -> None:
    said = _said(mandarin)
    translation, transcript, given = _heard(
        engine,
        _request(said, task=Task.TRANSLATE),
        _request(said),
        _request(said, task=Task.TRANSLATE, language="zh"),
    )
    for hypothesis in (translation, given):
        assert error_rate("hello world", hypothesis.text, "en") == 0
        assert hypothesis.language == "zh"  # which is spoken
        assert (hypothesis.words, hypothesis.timing) == ((), Timing.NONE)
    assert error_rate(mandarin.reference, transcript.text, "zh") == 0
    assert transcript.timing is Timing.ALIGNED


@pytest.mark.parametrize(
    ("name", "multilingual", "able"),
    [
        ("whisper-base", True, True),
        ("whisper-large-v3", True, True),
        ("whisper-large-v3-turbo", True, False),
        ("distil-large-v3", True, False),
        ("whisper-tiny.en", False, False),
    ],
)
def test_models_that_were_trained_on_transcripts_only_do_not_translate(
    name: str, multilingual: bool, able: bool
) -> None:
    assert translates(name, multilingual=multilingual) is able


def test_a_model_that_cannot_translate_fails_on_that_alone(whisper_base_directory: Path, mandarin: Recording) -> None:
    engine = FasterWhisperEngineFactory(whisper_base_directory, "whisper-base-turbo")()
    assert not engine.capabilities.translation
    refused, heard = engine.recognize([_request(_said(mandarin), task=Task.TRANSLATE), _request(_said(mandarin))])
    assert isinstance(refused, EngineFailure)
    assert isinstance(heard, Hypothesis)


def test_mandarin_is_detected_and_understood(engine: FasterWhisperEngine, mandarin: Recording) -> None:
    (hypothesis,) = _heard(engine, _request(_said(mandarin)))
    assert error_rate(mandarin.reference, hypothesis.text, "zh") == 0
    assert hypothesis.language == "zh"


def test_a_batch_hears_what_its_items_alone_do(
    engine: FasterWhisperEngine, recordings: list[Recording], librivox: list[Recording]
) -> None:
    clips = [*_named(recordings, "quick_brown_fox", "nihao_shijie", "konnichiwa_sekai"), *librivox[:3]]
    requests = [_request(_said(clip)) for clip in clips]
    partial = _request(_said(librivox[1]), kind=RecognitionKind.PARTIAL, settled="He was not")
    requests.append(_request(_said(clips[0]), numbers=Numbers.SPOKEN))
    requests.insert(2, _request(bytes(64_000)))
    requests.insert(4, partial)
    together = _heard(engine, *requests)
    alone = [_heard(engine, request)[0] for request in requests]
    assert [hypothesis.text for hypothesis in together] == [hypothesis.text for hypothesis in alone]
    assert [hypothesis.language for hypothesis in together] == [hypothesis.language for hypothesis in alone]
    assert together[2].text == ""


def test_what_cannot_be_recognized_does_not_stop_the_others(engine: FasterWhisperEngine, english: Recording) -> None:
    pcm = pcm_of(english.path)
    outcomes = engine.recognize(
        [
            _request(pcm, language="yue"),
            _request(pcm, language="en"),
            _request(bytes(2 * 30 * SAMPLE_RATE_HZ)),
            _request(pcm + b"\0", language="en"),
        ]
    )
    assert isinstance(outcomes[0], EngineFailure)
    assert "yue" in outcomes[0].message
    assert isinstance(outcomes[1], Hypothesis)
    assert "amiable" in outcomes[1].text
    assert isinstance(outcomes[2], EngineFailure)
    assert "30.0 s" in outcomes[2].message
    assert isinstance(outcomes[3], EngineFailure)


def test_an_empty_batch_has_no_outcomes(engine: FasterWhisperEngine) -> None:
    assert engine.recognize([]) == []


def test_a_given_language_is_respected(engine: FasterWhisperEngine, english: Recording) -> None:
    english_text, german = _heard(
        engine, _request(pcm_of(english.path), language="en"), _request(pcm_of(english.path), language="de")
    )
    assert (english_text.language, english_text.language_confidence) == ("en", None)
    assert (german.language, german.language_confidence) == ("de", None)
    assert german.text != english_text.text


def test_mandarin_is_written_in_the_script_that_was_asked_for(
    engine: FasterWhisperEngine, recordings: list[Recording]
) -> None:
    (clip,) = _named([recording for recording in recordings if recording.language == "zh"], "pangrama")
    (heard,) = _heard(engine, _request(_said(clip), language="zh"))
    chain = make_text_chain(TextSettings())
    by_default, traditional = (
        chain.of_final(heard, manuscript("zh", script=script)) for script in (Script.SIMPLIFIED, Script.TRADITIONAL)
    )
    assert by_default.text != traditional.text
    assert OpenCC("t2s").convert(traditional.text) == by_default.text
    for hypothesis in (by_default, traditional):
        assert "".join(word.text for word in hypothesis.words) == hypothesis.text.replace(" ", "")


def test_words_lie_in_order_inside_the_audio(
    engine: FasterWhisperEngine, english: Recording, mandarin: Recording
) -> None:
    requests = [_request(_said(english), language="en"), _request(_said(mandarin), language="zh")]
    for request, hypothesis, count in zip(requests, _heard(engine, *requests), (8, 4), strict=True):
        words = hypothesis.words
        assert hypothesis.timing is Timing.ALIGNED
        assert len(words) == count
        assert all(len(word.span) > 0 for word in words)
        assert all(one.span.end <= other.span.start for one, other in itertools.pairwise(words))
        assert words[-1].span.end <= len(request.pcm) // 2
        assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in words)


def test_silence_around_the_speech_belongs_to_no_word(engine: FasterWhisperEngine, english: Recording) -> None:
    plain, margined = _heard(
        engine, _request(pcm_of(english.path), language="en"), _request(_said(english), language="en")
    )
    half_a_second = len(MARGIN) // 2
    for index in (0, -1):
        shift = margined.words[index].span.start - plain.words[index].span.start
        assert abs(shift - half_a_second) <= SAMPLE_RATE_HZ // 10


def test_words_follow_the_speech_across_a_pause(
    engine: FasterWhisperEngine, english: Recording, librivox: list[Recording]
) -> None:
    first, second = pcm_of(english.path), pcm_of(_named(librivox, OTHER_SENTENCE)[0].path)
    pause = as_pcm(noise(1.5, amplitude=0.0005))
    (hypothesis,) = _heard(engine, _request(first + pause + second, language="en"))
    spans = {word.text.strip(".").lower(): word.span for word in hypothesis.words}
    assert spans["himself"].end <= len(first) // 2 + SAMPLE_RATE_HZ // 10
    assert spans["ill-disposed"].start >= (len(first) + len(pause)) // 2


def test_words_are_not_made_when_they_are_not_wanted(engine: FasterWhisperEngine, english: Recording) -> None:
    plain, partial = _heard(
        engine,
        _request(pcm_of(english.path), language="en", word_times=False),
        _request(pcm_of(english.path), language="en", kind=RecognitionKind.PARTIAL),
    )
    for hypothesis in (plain, partial):
        assert "amiable" in hypothesis.text
        assert hypothesis.words == ()
        assert hypothesis.timing is Timing.NONE


def test_a_partial_goes_on_from_its_settled_text(engine: FasterWhisperEngine, english: Recording) -> None:
    # In lower case, as the network would not write it by itself.
    request = _request(
        pcm_of(english.path), kind=RecognitionKind.PARTIAL, language="en", settled="he might even have been"
    )
    (partial,) = _heard(engine, request)
    assert partial.text == "he might even have been made amiable himself."


def test_settled_text_that_was_never_said_loses_nothing(engine: FasterWhisperEngine, english: Recording) -> None:
    (partial,) = _heard(
        engine,
        _request(
            pcm_of(english.path), kind=RecognitionKind.PARTIAL, language="en", settled="The quick brown fox jumps over"
        ),
    )
    assert partial.text.startswith("The quick brown fox jumps over")
    assert partial.text.endswith("himself.")


def test_settled_text_of_any_length_is_kept_once(engine: FasterWhisperEngine, english: Recording) -> None:
    settled = "he might even have been made amiable himself and " * 20 + "so on"
    request = _request(pcm_of(english.path), kind=RecognitionKind.PARTIAL, language="en", settled=settled)
    assert _heard(engine, request)[0].text == settled


def test_a_final_is_heard_afresh(engine: FasterWhisperEngine, english: Recording) -> None:
    (final,) = _heard(engine, _request(pcm_of(english.path), language="en", settled="The quick brown fox"))
    assert error_rate(english.reference, final.text, "en") == 0


@pytest.mark.parametrize("kind", list(RecognitionKind))
@pytest.mark.parametrize("language", [None, "en", "zh"])
def test_silence_and_noise_yield_no_words(
    engine: FasterWhisperEngine, kind: RecognitionKind, language: str | None
) -> None:
    sounds = [
        bytes(2 * 5 * SAMPLE_RATE_HZ),
        as_pcm(noise(1.0, amplitude=0.1)),
        as_pcm(noise(4.0, amplitude=0.01)),
        as_pcm(noise(8.0, amplitude=0.002)),
        as_pcm(tone(440.0, 3.0)),
        b"",
    ]
    hypotheses = _heard(
        engine, *(_request(pcm, kind=kind, language=language, hotwords=("Quilter", "达摩院")) for pcm in sounds)
    )
    assert [hypothesis.text for hypothesis in hypotheses] == [""] * len(sounds)
    assert all(hypothesis.words == () for hypothesis in hypotheses)


def test_a_quiet_voice_is_still_heard(engine: FasterWhisperEngine, english: Recording) -> None:
    samples = memoryview(pcm_of(english.path)).cast("h")
    quiet = b"".join((sample // 30).to_bytes(2, "little", signed=True) for sample in samples)
    (hypothesis,) = _heard(engine, _request(quiet, language="en"))
    assert error_rate(english.reference, hypothesis.text, "en") == 0


def test_hotwords_and_prompt_steer_the_spelling(engine: FasterWhisperEngine, english: Recording) -> None:
    pcm = pcm_of(english.path)
    plain, hot, prompted = _heard(
        engine,
        _request(pcm, language="en"),
        _request(pcm, language="en", hotwords=("MADE AMIABLE HIMSELF",)),
        _request(pcm, language="en", prompt="MY DEAR SIR, HE WAS AMIABLE. SHE WAS NOT."),
    )
    assert len({plain.text, hot.text, prompted.text}) > 1
    for hypothesis in (plain, hot, prompted):
        assert error_rate(english.reference, hypothesis.text, "en") == 0


@pytest.mark.parametrize(("language", "name"), [("en", "004"), ("zh", "jishu")])
def test_numbers_are_written_as_they_are_spoken_if_that_is_asked_for(
    engine: FasterWhisperEngine, recordings: list[Recording], librivox: list[Recording], language: str, name: str
) -> None:
    (clip,) = _named([*recordings, *librivox], name)
    as_recognized, spoken = _heard(
        engine,
        _request(_said(clip), language=language),
        _request(_said(clip), language=language, numbers=Numbers.SPOKEN),
    )
    assert any(character.isdigit() for character in as_recognized.text)
    assert not any(character.isdigit() for character in spoken.text)
    said = re.findall(r"\w+", clip.reference.casefold())
    assert "".join(re.findall(r"\w+", spoken.text.casefold())) == "".join(said)
    assert "".join(word.text for word in spoken.words) == spoken.text.replace(" ", "")


def test_a_partial_goes_on_from_settled_digits_in_words(
    engine: FasterWhisperEngine, recordings: list[Recording]
) -> None:
    (clip,) = _named(recordings, "counting")
    (partial,) = _heard(
        engine,
        _request(_said(clip), kind=RecognitionKind.PARTIAL, language="en", settled="1, 2, 3,", numbers=Numbers.SPOKEN),
    )
    assert partial.text.startswith("1, 2, 3,")
    assert not any(character.isdigit() for character in partial.text.removeprefix("1, 2, 3,"))
    assert "ten" in partial.text.casefold()


def test_a_request_may_ask_for_its_own_beam_and_temperature(engine: FasterWhisperEngine, english: Recording) -> None:
    request = _request(pcm_of(english.path), language="en")
    others = [replace(request.options, beam_size=1), replace(request.options, beam_size=5)]
    others.append(replace(request.options, temperature=0.1))
    for hypothesis in _heard(engine, *(replace(request, options=options) for options in others)):
        assert error_rate(english.reference, hypothesis.text, "en") == 0


def test_a_folder_without_a_tokenizer_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        FasterWhisperEngineFactory(tmp_path, "whisper-base")()
