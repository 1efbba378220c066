"""The streaming engine beside FunASR itself, chunk by chunk, on a tiny model of the real architecture."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from funasr.utils.postprocess_utils import sentence_postprocess
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.asr_config import Chunking, RecognitionOptions
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.funasr_adapter import FunAsrEngine, FunAsrEngineFactory
from asr_service.infrastructure.asr.self_test import run_self_test
from tests.engines import tiny_funasr
from tests.fixtures.recognition_requests import recognition_request
from tests.fixtures.sounds import as_pcm, babble

PARTIAL, FINAL = RecognitionKind.PARTIAL, RecognitionKind.FINAL
PLAN = {"chunk_size": [0, 10, 5], "encoder_chunk_look_back": 4, "decoder_chunk_look_back": 1}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "paraformer-zh-streaming"
    chinese = tiny_funasr.CHINESE_TOKENS
    return tiny_funasr.fit_counting(tiny_funasr.build(folder, tiny_funasr.PARAFORMER_STREAMING, tokens=chinese))


@pytest.fixture(scope="module")
def reference(directory: Path) -> Any:
    return tiny_funasr.load(directory)


@pytest.fixture(scope="module")
def factory(directory: Path) -> FunAsrEngineFactory:
    return FunAsrEngineFactory(directory, "paraformer-zh-streaming")


@pytest.fixture
def engine(factory: FunAsrEngineFactory) -> FunAsrEngine:
    return factory()


def floats(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2") * np.float32(1 / 32_768)


def cut(pcm: bytes, chance: random.Random) -> list[bytes]:
    """The audio in packets of 10 ms to a second and a half, in whole samples."""
    packets, start = [], 0
    while start < len(pcm):
        end = start + 2 * chance.randint(160, 24_000)
        packets.append(pcm[start:end])
        start = end
    return packets


def told_by_funasr(reference: Any, packets: Sequence[bytes], plan: dict[str, Any] = PLAN) -> Iterator[str]:
    """What FunASR's own loop says after each packet: all that it has said so far."""
    cache: dict[str, Any] = {}
    text = ""
    for number, packet in enumerate(packets, 1):
        answer = reference.generate(input=floats(packet), cache=cache, is_final=number == len(packets), **plan)
        text += answer[0]["text"]
        yield text


def request(
    pcm: bytes, kind: RecognitionKind, session: str = "ses_1", chunking: Chunking | None = None
) -> RecognitionRequest:
    options = RecognitionOptions(chunking=chunking or Chunking())
    return recognition_request(pcm=pcm, kind=kind, session_id=session, options=options)


def plan_of(chunking: Chunking) -> dict[str, Any]:
    """The same as FunASR calls it; what is left open is the engine's."""
    said = (chunking.size and list(chunking.size), chunking.encoder_look_back, chunking.decoder_look_back)
    return {key: value if told is None else told for (key, value), told in zip(PLAN.items(), said, strict=True)}


def text_of(engine: FunAsrEngine, asked: RecognitionRequest) -> str:
    (outcome,) = engine.recognize([asked])
    assert isinstance(outcome, Hypothesis)
    return outcome.text


def growing(packets: Sequence[bytes]) -> Iterator[tuple[bytes, RecognitionKind]]:
    """The audio so far after each packet, as a session asks about it; the last time for a final."""
    for number in range(1, len(packets) + 1):
        yield b"".join(packets[:number]), FINAL if number == len(packets) else PARTIAL


def test_its_texts_tell_sounds_apart(reference: Any) -> None:
    texts = [list(told_by_funasr(reference, [as_pcm(babble(5, seed=seed))]))[-1] for seed in range(8)]
    assert all(len(text) >= 5 for text in texts)
    assert len(set(texts)) == len(texts)


def test_it_passes_the_self_test(engine: FunAsrEngine) -> None:
    run_self_test(engine)


@pytest.mark.parametrize("seed", range(50))
def test_after_every_packet_it_says_what_funasr_says(engine: FunAsrEngine, reference: Any, seed: int) -> None:
    chance = random.Random(seed)
    packets = cut(as_pcm(babble(chance.uniform(1, 7), seed=seed)), chance)
    said = [text_of(engine, request(pcm, kind)) for pcm, kind in growing(packets)]
    assert said == list(told_by_funasr(reference, packets))
    assert said[-1]


CHUNKINGS = [
    Chunking((5, 10, 5), 4, 0),  # as FunASR's clients say it
    Chunking((8, 8, 4), 4, 1),
    Chunking((0, 5, 5)),
    Chunking((0, 12, 0), encoder_look_back=0),
    Chunking(encoder_look_back=1, decoder_look_back=3),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunking", CHUNKINGS, ids=str)
def test_in_the_chunks_of_a_client_it_says_what_funasr_says_in_them(
    engine: FunAsrEngine, reference: Any, chunking: Chunking, seed: int
) -> None:
    chance = random.Random(seed)
    packets = cut(as_pcm(babble(chance.uniform(2, 7), seed=seed)), chance)
    said = [text_of(engine, request(pcm, kind, chunking=chunking)) for pcm, kind in growing(packets)]
    assert said == list(told_by_funasr(reference, packets, plan_of(chunking)))
    assert said[-1]


def test_chunks_are_those_of_the_session_that_asked_for_them(engine: FunAsrEngine, reference: Any) -> None:
    packets = cut(as_pcm(babble(6, seed=1)), random.Random(1))
    said: dict[Chunking, list[str]] = {chunking: [] for chunking in CHUNKINGS}
    for pcm, kind in growing(packets):
        outcomes = engine.recognize([request(pcm, kind, str(chunking), chunking) for chunking in CHUNKINGS])
        for chunking, outcome in zip(CHUNKINGS, outcomes, strict=True):
            assert isinstance(outcome, Hypothesis)
            said[chunking].append(outcome.text)
    expected = {chunking: list(told_by_funasr(reference, packets, plan_of(chunking))) for chunking in CHUNKINGS}
    assert said == expected
    assert len({tuple(texts) for texts in expected.values()}) >= 3, "chunks make a difference"


def test_sessions_that_speak_at_the_same_time_do_not_disturb_each_other(engine: FunAsrEngine, reference: Any) -> None:
    chance = random.Random(0)
    packets = {f"ses_{seed}": cut(as_pcm(babble(6, seed=seed)), chance) for seed in range(8)}
    waiting = {session: list(growing(parts)) for session, parts in packets.items()}
    said: dict[str, list[str]] = {session: [] for session in packets}
    while waiting:
        together = chance.sample(sorted(waiting), chance.randint(1, len(waiting)))
        outcomes = engine.recognize([request(*waiting[session].pop(0), session) for session in together])
        for session, outcome in zip(together, outcomes, strict=True):
            assert isinstance(outcome, Hypothesis)
            said[session].append(outcome.text)
        waiting = {session: parts for session, parts in waiting.items() if parts}
    assert said == {session: list(told_by_funasr(reference, parts)) for session, parts in packets.items()}
    assert len({texts[-1] for texts in said.values()}) == len(said)


def test_another_worker_says_the_same(factory: FunAsrEngineFactory, engine: FunAsrEngine) -> None:
    pcm = as_pcm(babble(6, seed=3))
    for end in range(20_000, len(pcm), 20_000):
        text_of(engine, request(pcm[:end], PARTIAL))
    assert text_of(engine, request(pcm, PARTIAL)) == text_of(factory(), request(pcm, PARTIAL))
    assert text_of(engine, request(pcm, FINAL)) == text_of(factory(), request(pcm, FINAL))


def test_an_utterance_that_goes_on_after_a_final_is_heard_as_if_there_had_been_none(engine: FunAsrEngine) -> None:
    pcm = as_pcm(babble(6, seed=4))
    text_of(engine, request(pcm[:90_000], PARTIAL))
    text_of(engine, request(pcm[:100_000], FINAL))
    assert text_of(engine, request(pcm, FINAL)) == text_of(engine, request(pcm, FINAL, "ses_2"))


@pytest.mark.parametrize("samples", [1, 399, 400, 959, 960, 961, 1_600, 9_599, 9_600, 9_601, 10_559, 10_560])
def test_any_length_is_answered(engine: FunAsrEngine, reference: Any, samples: int) -> None:
    pcm = as_pcm(babble(1, seed=5))[: 2 * samples]
    expected = list(told_by_funasr(reference, [pcm]))[-1] if samples >= 400 else ""
    assert text_of(engine, request(pcm, FINAL)) == expected


def test_words_that_lie_in_two_chunks_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FunASR's loop tells the text of each chunk, in which a word that began in the last one has lost its beginning."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
    words = ("<blank>", "<s>", "</s>", *syllables, *(f"{syllable}@@" for syllable in syllables), "<unk>")
    folder = tiny_funasr.fit_counting(
        tiny_funasr.build(tmp_path / "words", tiny_funasr.PARAFORMER_STREAMING, tokens=words)
    )
    engine, reference = FunAsrEngineFactory(folder, "words")(), tiny_funasr.load(folder)
    tokens: list[str] = []
    tokenizer = type(reference.kwargs["tokenizer"])
    tell = tokenizer.ids2tokens
    monkeypatch.setattr(tokenizer, "ids2tokens", lambda self, ids: tokens.extend(tell(self, ids)) or tell(self, ids))
    differences = 0
    for seed in range(6):
        tokens.clear()
        pcm = as_pcm(babble(6, seed=seed))
        piecemeal = list(
            told_by_funasr(reference, [pcm[start : start + 19_200] for start in range(0, len(pcm), 19_200)])
        )
        expected, _ = sentence_postprocess(tokens)
        assert text_of(engine, request(pcm, FINAL)) == expected
        differences += piecemeal[-1].replace(" ", "") != expected.replace(" ", "")
    assert differences


def test_it_says_what_it_can_do(engine: FunAsrEngine) -> None:
    assert engine.capabilities.streaming
    assert engine.capabilities.chunking
    assert engine.capabilities.languages == {"zh"}
    assert not engine.capabilities.word_times
    assert not engine.capabilities.hotwords
