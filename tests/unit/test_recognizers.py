"""What the settings come to: which pools, of how many workers, on which devices."""

from pathlib import Path
from typing import Any

import pytest

from asr_service.domain.ports.model_store import ModelMissing, RecognitionModel
from asr_service.domain.ports.recognizer import EngineUnknown
from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.engines import engine_factories, find_model
from asr_service.infrastructure.asr.faster_whisper_adapter import FasterWhisperEngineFactory
from asr_service.infrastructure.asr.funasr.streaming import ChunkPlan
from asr_service.infrastructure.asr.funasr_adapter import FunAsrEngineFactory
from asr_service.infrastructure.asr.pool_sizing import Hardware
from asr_service.infrastructure.config.problems import InvalidSettings
from asr_service.infrastructure.config.sections import RecognizerSettings, TextSettings
from asr_service.recognizers import PoolPlan, make_text_chain, plan_pools
from tests.fakes.punctuation import FullStopRestorer
from tests.fixtures.manuscripts import manuscript

TWO_CPUS = Hardware(2.0)
TWO_GPUS = Hardware(16.0, gpus=2)


class Shelf:
    """A store that has some models."""

    def __init__(self, **engine_of: str) -> None:
        self._engine_of = {name.replace("_", "-"): engine for name, engine in engine_of.items()}

    def recognition_model(self, name: str) -> RecognitionModel:
        if name not in self._engine_of:
            raise ModelMissing(f"{name} is missing.")
        return RecognitionModel(name, Path("/models", name), self._engine_of[name])

    def locate(self, name: str) -> Path:
        return Path("/models", name)


SHELF: Any = Shelf(
    whisper_base="faster-whisper", whisper_tiny="faster-whisper", paraformer="funasr", singer="gramophone", own=""
)


def models(plan: PoolPlan | None) -> list[tuple[str, str, int, str]]:
    """Model, device, its number, and arithmetic, for each device."""
    assert plan is not None
    factories = [factory for factory in plan.factories if isinstance(factory, FasterWhisperEngineFactory)]
    return [(factory.model_name, factory.device, factory.device_index, factory.compute_type) for factory in factories]


def test_by_default_one_pool_does_everything() -> None:
    plans = plan_pools(RecognizerSettings(), SHELF, TWO_CPUS)
    assert (plans.main.name, plans.main.size, plans.partials, plans.fallback) == ("recognizer", 2, None, None)
    assert models(plans.main) == [("whisper-base", "cpu", 0, "int8")]


def test_a_model_for_partials_and_one_to_fall_back_on_have_pools_of_their_own() -> None:
    wanted = RecognizerSettings(
        partials_model="whisper-tiny", fallback_model="whisper-tiny", beam_size=3, finals_context_s=20
    )
    plans = plan_pools(wanted, SHELF, Hardware(5.0))
    assert [models(plan)[0][0] for plan in (plans.main, plans.partials, plans.fallback)] == [
        "whisper-base",
        "whisper-tiny",
        "whisper-tiny",
    ]
    assert plans.partials is not None
    assert plans.fallback is not None
    assert (plans.partials.name, plans.fallback.name) == ("recognizer_partials", "recognizer_fallback")
    assert (plans.main.size, plans.partials.size, plans.fallback.size) == (2, 2, 1)
    (factory,) = plans.main.factories
    assert isinstance(factory, FasterWhisperEngineFactory)
    assert (factory.model_directory, factory.threads) == (Path("/models/whisper-base"), 1)
    assert (factory.beam_size, factory.finals_context_s) == (3, 20)


def test_the_same_model_for_partials_needs_no_pool() -> None:
    assert plan_pools(RecognizerSettings(partials_model="whisper-base"), SHELF, TWO_CPUS).partials is None


def test_numbers_of_workers_that_are_set_hold() -> None:
    wanted = RecognizerSettings(partials_model="whisper-tiny", workers=3, partials_workers=5)
    plans = plan_pools(wanted, SHELF, TWO_CPUS)
    assert plans.partials is not None
    assert (plans.main.size, plans.partials.size) == (3, 5)


def test_each_gpu_has_a_worker_in_the_arithmetic_of_gpus() -> None:
    plans = plan_pools(RecognizerSettings(device="auto"), SHELF, TWO_GPUS)
    assert plans.main.size == 2
    assert models(plans.main) == [
        ("whisper-base", "cuda", 0, "int8_float16"),
        ("whisper-base", "cuda", 1, "int8_float16"),
    ]


def test_the_arithmetic_that_is_set_holds_on_every_device() -> None:
    wanted = RecognizerSettings(device="auto", compute_type="float16")
    assert {arithmetic for *_, arithmetic in models(plan_pools(wanted, SHELF, TWO_GPUS).main)} == {"float16"}


@pytest.mark.parametrize(
    ("beam_size", "hardware", "apart_below"), [(5, TWO_CPUS, 4), (1, TWO_CPUS, 1), (5, TWO_GPUS, 1)]
)
def test_finals_are_apart_where_a_search_has_no_use_for_company(
    beam_size: int, hardware: Hardware, apart_below: int
) -> None:
    plans = plan_pools(RecognizerSettings(device="auto", beam_size=beam_size), SHELF, hardware)
    assert plans.main.finals_apart_below == apart_below


class TestMakeTextChain:
    def test_by_default_nothing_is_masked_and_numbers_can_be_written(self) -> None:
        features = make_text_chain(TextSettings()).features
        assert (features.masking, features.unmasking) == (False, True)
        assert features.written_numbers == {"en", "zh"}

    def test_words_are_masked_for_everybody_and_for_a_tenant(self, tmp_path: Path) -> None:
        (tmp_path / "all.txt").write_text("damn", encoding="utf-8")
        (tmp_path / "tenants").mkdir()
        (tmp_path / "tenants" / "acme.txt").write_text("sprocket", encoding="utf-8")
        wanted = TextSettings(masked_words=tmp_path / "all.txt", masked_words_directory=tmp_path / "tenants")
        chain = make_text_chain(wanted)
        final = chain.of_final(Hypothesis("damn sprocket"), manuscript(tenant="acme"))
        assert final.text == "**** ********"
        assert (chain.features.masking, chain.features.unmasking) == (True, False)

    @pytest.mark.parametrize("key", ["masked_words", "masked_words_directory"])
    def test_a_list_that_cannot_be_read_is_a_wrong_setting(self, key: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidSettings, match=rf"text\.{key} .*missing"):
            make_text_chain(TextSettings(**{key: tmp_path / "missing"}))

    def test_without_the_extra_numbers_stay_as_they_are_recognized(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("asr_service.recognizers.find_spec", lambda _: None)
        assert not make_text_chain(TextSettings()).features.written_numbers
        with pytest.raises(InvalidSettings, match=r"text\.numbers needs the extra text"):
            make_text_chain(TextSettings(numbers=Numbers.WRITTEN))

    def test_punctuation_is_restored_by_whoever_can(self) -> None:
        assert make_text_chain(TextSettings(), FullStopRestorer()).features.punctuation == {"en", "zh"}


@pytest.mark.parametrize("key", ["model", "partials_model", "fallback_model"])
def test_a_model_that_is_not_there_is_told(key: str) -> None:
    with pytest.raises(ModelMissing, match="whisper-large"):
        plan_pools(RecognizerSettings(**{key: "whisper-large"}), SHELF, TWO_CPUS)


def test_a_model_that_nobody_says_anything_about_is_for_faster_whisper() -> None:
    assert models(plan_pools(RecognizerSettings(model="own"), SHELF, TWO_CPUS).main) == [("own", "cpu", 0, "int8")]


def test_what_the_settings_say_of_the_main_model_holds_for_no_other() -> None:
    wanted = RecognizerSettings(model="own", engine="sherpa-onnx", architecture="moonshine", languages=("en",))
    told = RecognitionModel("own", Path("/models/own"), "sherpa-onnx", "moonshine", frozenset({"en"}))
    assert find_model("own", wanted, SHELF) == told
    assert find_model("whisper-base", wanted, SHELF) == SHELF.recognition_model("whisper-base")


def test_each_device_has_a_factory() -> None:
    made = engine_factories(SHELF.recognition_model("singer"), RecognizerSettings(), TWO_GPUS, {"gramophone": sing})
    assert [factory() for factory in made] == [("singer", "cuda", 0), ("singer", "cuda", 1)]


def sing(model: RecognitionModel, wanted: RecognizerSettings, hardware: Hardware, device_index: int) -> Any:
    return lambda: (model.name, hardware.device, device_index)


def test_a_model_of_an_engine_that_is_unknown_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(EngineUnknown, match="gramophone") as refusal:
        plan_pools(RecognizerSettings(fallback_model="singer"), SHELF, TWO_CPUS)
    assert "faster-whisper" in (refusal.value.hint or "")


# --- FunASR


def test_a_model_of_funasr_has_its_chunks_and_its_punctuation() -> None:
    wanted = RecognizerSettings(
        model="paraformer",
        punctuation_model="ct-punc",
        streaming_chunk=(5, 8, 3),
        encoder_look_back=2,
        decoder_look_back=0,
    )
    (factory,) = plan_pools(wanted, SHELF, TWO_CPUS).main.factories
    assert factory == FunAsrEngineFactory(
        Path("/models/paraformer"),
        "paraformer",
        punctuation_directory=Path("/models/ct-punc"),
        plan=ChunkPlan(5, 8, 3, encoder_look_back=2, decoder_look_back=0),
    )


def test_models_of_funasr_run_on_every_gpu() -> None:
    factories = plan_pools(RecognizerSettings(model="paraformer"), SHELF, TWO_GPUS).main.factories
    assert [
        (factory.device, factory.device_index) for factory in factories if isinstance(factory, FunAsrEngineFactory)
    ] == [
        ("cuda", 0),
        ("cuda", 1),
    ]
