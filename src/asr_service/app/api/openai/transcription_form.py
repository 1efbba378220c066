"""What the forms of ``/v1/audio`` ask for, understood; wishes that cannot be fulfilled are refused, not forgotten."""

from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from asr_service.app.api.openai.form_fields import FormFields, chosen
from asr_service.app.api.v1.websocket.protocols.codec import MalformedMessage, read_json
from asr_service.app.api.v1.websocket.protocols.funasr_config import parse_hotwords
from asr_service.app.dto.openai import ServerVad
from asr_service.app.dto.session_config import (
    MAX_HOTWORD_CHARACTERS,
    MAX_HOTWORDS,
    MAX_PROMPT_CHARACTERS,
    parsed,
    supported_language,
)
from asr_service.app.dto.wish_outcomes import WishOutcome, wish_outcomes
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.ports.speaker_diarizer import DiarizationUnavailable
from asr_service.domain.value_objects.asr_config import (
    Casing,
    EndpointingPolicy,
    Numbers,
    RecognitionOptions,
    SessionConfig,
    Task,
)
from asr_service.domain.value_objects.language import Script
from asr_service.shared.errors import InvalidRequest

MAX_LANGUAGES = 20


class ResponseFormat(StrEnum):
    """How the text is written."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE_JSON = "verbose_json"
    VTT = "vtt"
    DIARIZED_JSON = "diarized_json"


class Granularity(StrEnum):
    """What ``verbose_json`` gives times for."""

    WORD = "word"
    SEGMENT = "segment"


class Included(StrEnum):
    """What may be asked for beside the text."""

    LOGPROBS = "logprobs"


class TranslationUnavailable(InvalidRequest):
    """The model cannot translate."""

    code = "unsupported_model"


class OptionUnavailable(InvalidRequest):
    """The model cannot do what an option asks for."""

    code = "unsupported_option"


class _ChunkingField(BaseModel):
    """Gives complaints the name that the client knows."""

    chunking_strategy: ServerVad


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """The form, understood.

    Attributes:
        file: The recording.
        config: Of the session that transcribes it.
        response_format: How to write the text.
        granularities: What ``verbose_json`` gives times for.
        streamed: Whether text is sent while it is made.
        speakers: Whether it is to say who speaks.
    """

    file: UploadFile
    config: SessionConfig
    response_format: ResponseFormat
    granularities: frozenset[Granularity] = frozenset({Granularity.SEGMENT})
    streamed: bool = False
    speakers: bool = False


def read_transcription(
    form: FormData, defaults: SessionConfig, capabilities: RecognizerCapabilities, *, tells_speakers_apart: bool
) -> TranscriptionRequest:
    """Understands the form of a transcription; fields that nobody knows are ignored.

    Args:
        form: As it came.
        defaults: Hold for what it leaves open.
        capabilities: Of the recognizer that its model has been found to be.
        tells_speakers_apart: Whether the service can say who speaks, whatever the recognizer.

    Raises:
        InvalidRequest: A field is wrong; the subclasses say what cannot be done.
    """
    fields = FormFields(form)
    file = fields.file("file")
    response_format = fields.choice(ResponseFormat, "response_format", ResponseFormat.JSON)
    speakers = _speakers(fields, response_format, possible=tells_speakers_apart)
    _expect_no_logprobs(fields)
    options = replace(
        _languages(fields, _options(fields, defaults.options, capabilities), capabilities),
        hotwords=_hotwords(fields, capabilities) or defaults.options.hotwords,
        word_times=response_format not in (ResponseFormat.JSON, ResponseFormat.TEXT),
    )
    endpointing = _endpointing(fields, defaults.endpointing)
    return TranscriptionRequest(
        file,
        replace(defaults, options=options, endpointing=endpointing),
        response_format,
        _granularities(fields),
        _streamed(fields, response_format),
        speakers,
    )


def read_translation(
    form: FormData, defaults: SessionConfig, capabilities: RecognizerCapabilities
) -> TranscriptionRequest:
    """Understands the form of a translation; the arguments mean what they mean to ``read_transcription``.

    Raises:
        TranslationUnavailable: The model cannot translate.
        InvalidRequest: A field is wrong.
    """
    fields = FormFields(form)
    file = fields.file("file")
    if not capabilities.translation:
        hint = "Transcribe the recording, or have the service use a multilingual Whisper model that is not a turbo."
        raise TranslationUnavailable(f"The model {capabilities.model} cannot translate.", field="model", hint=hint)
    response_format = fields.choice(ResponseFormat, "response_format", ResponseFormat.JSON)
    _expect_no_diarization(fields, response_format)
    options = replace(_options(fields, defaults.options, capabilities), task=Task.TRANSLATE, word_times=False)
    return TranscriptionRequest(file, replace(defaults, options=options), response_format)


def _options(
    fields: FormFields, defaults: RecognitionOptions, capabilities: RecognizerCapabilities
) -> RecognitionOptions:
    prompt = fields.text("prompt")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequest(f"The prompt is longer than {MAX_PROMPT_CHARACTERS} characters.", field="prompt")
    options = replace(
        defaults,
        language=supported_language(fields.text("language"), capabilities) or defaults.language,
        prompt=prompt or defaults.prompt,
        temperature=fields.number("temperature", 0, 1),
    )
    return _written(fields, options, capabilities)


def _written(
    fields: FormFields, options: RecognitionOptions, capabilities: RecognizerCapabilities
) -> RecognitionOptions:
    """With the fields that say how the text is to be written: not OpenAI's, but those of the native protocol."""
    options = replace(
        options,
        script=fields.choice(Script, "script", options.script),
        numbers=fields.choice(Numbers, "numbers", options.numbers),
        casing=fields.choice(Casing, "casing", options.casing),
        mask=fields.truth("mask") if fields.text("mask") else options.mask,
    )
    outcomes = wish_outcomes(options, capabilities)
    for field in ("script", "numbers", "casing", "mask"):
        if fields.text(field) and outcomes.get(field) is WishOutcome.UNSUPPORTED:
            raise OptionUnavailable(f"{field}={fields.text(field)} is not possible here.", field=field)
    return options


def _languages(
    fields: FormFields, options: RecognitionOptions, capabilities: RecognizerCapabilities
) -> RecognitionOptions:
    """With ``languages[]``: one of them is that of the recording, of several it is one; ``language`` decides."""
    texts = fields.texts("languages")
    if len(texts) > MAX_LANGUAGES:
        raise InvalidRequest(f"There are more than {MAX_LANGUAGES} languages.", field="languages")
    known = {language: None for text in texts if (language := supported_language(text, capabilities)) is not None}
    likely = tuple(known)
    if options.language is not None:
        if likely and options.language not in likely:
            hint = "Leave one of the two out."
            raise InvalidRequest("The language is not among the languages.", field="languages", hint=hint)
        return options
    if len(likely) == 1:
        return replace(options, language=likely[0])
    return replace(options, likely_languages=likely)


def _hotwords(fields: FormFields, capabilities: RecognizerCapabilities) -> tuple[str, ...]:
    """``keywords[]``, and after them ``hotwords`` in the forms of FunASR: a field of its servers, and so of ours."""
    keywords = fields.texts("keywords")
    if any(len(keyword) > MAX_HOTWORD_CHARACTERS for keyword in keywords):
        raise InvalidRequest(f"A keyword is longer than {MAX_HOTWORD_CHARACTERS} characters.", field="keywords")
    if len(keywords) > MAX_HOTWORDS:
        raise InvalidRequest(f"There are more than {MAX_HOTWORDS} keywords.", field="keywords")
    hotwords = tuple(dict.fromkeys((*keywords, *parse_hotwords(fields.text("hotwords")))))[:MAX_HOTWORDS]
    if hotwords and not capabilities.hotwords:
        field = "keywords" if keywords else "hotwords"
        raise OptionUnavailable(f"The model {capabilities.model} takes no hotwords.", field=field)
    return hotwords


def _endpointing(fields: FormFields, defaults: EndpointingPolicy) -> EndpointingPolicy:
    """``chunking_strategy`` as ``auto``, as an object in brackets (OpenAI's libraries), or as one in JSON (curl)."""
    text, value = fields.text("chunking_strategy"), fields.nested("chunking_strategy")
    if not value:
        if text in ("", "auto", '"auto"'):
            return defaults
        value = _json_object(text)
    return parsed(_ChunkingField, {"chunking_strategy": value}).chunking_strategy.to_domain(defaults)


def _json_object(text: str) -> dict[str, str]:
    try:
        value = read_json(text)
    except MalformedMessage:
        value = None
    if not isinstance(value, dict):
        hint = 'Use auto, or an object such as {"type": "server_vad", "silence_duration_ms": 500}.'
        raise InvalidRequest("This is no chunking_strategy.", field="chunking_strategy", hint=hint)
    return value


def _granularities(fields: FormFields) -> frozenset[Granularity]:
    name = "timestamp_granularities"
    wanted = frozenset(chosen(Granularity, text, name) for text in fields.texts(name))
    return wanted or frozenset({Granularity.SEGMENT})


def _streamed(fields: FormFields, response_format: ResponseFormat) -> bool:
    streamed = fields.truth("stream")
    if streamed and response_format not in (ResponseFormat.JSON, ResponseFormat.TEXT):
        hint = "Use json or text, or leave out stream."
        raise InvalidRequest(f"{response_format} cannot be streamed.", field="response_format", hint=hint)
    return streamed


def _speakers(fields: FormFields, response_format: ResponseFormat, *, possible: bool) -> bool:
    """Whether the form asks who speaks. Voices have no names here, so those of known speakers are refused all the same."""
    if not possible:
        _expect_no_diarization(fields, response_format)
        return False
    for field in ("known_speaker_names", "known_speaker_references"):
        if fields.texts(field):
            hint = f"Leave {field} out: speakers are called A, B and so on."
            raise DiarizationUnavailable("Voices are told apart here, not recognized.", field=field, hint=hint)
    diarized = response_format is ResponseFormat.DIARIZED_JSON
    if fields.truth("spk") and not diarized:
        hint = "Use response_format=diarized_json."
        raise OptionUnavailable(f"{response_format} has no place for speakers.", field="spk", hint=hint)
    return diarized


def _expect_no_diarization(fields: FormFields, response_format: ResponseFormat) -> None:
    """One speaker for everybody would pass for an answer, and put the words of two people into one mouth."""
    asking = {
        "response_format": response_format is ResponseFormat.DIARIZED_JSON,
        "known_speaker_names": bool(fields.texts("known_speaker_names")),
        "known_speaker_references": bool(fields.texts("known_speaker_references")),
        "spk": fields.truth("spk"),
    }
    if field := next((field for field, asked in asking.items() if asked), None):
        hint = "Use verbose_json for segments and words with their times, without speakers."
        raise DiarizationUnavailable("This service does not tell speakers apart.", field=field, hint=hint)


def _expect_no_logprobs(fields: FormFields) -> None:
    for text in fields.texts("include"):
        chosen(Included, text, "include")
        hint = "Use verbose_json: its segments have avg_logprob."
        raise OptionUnavailable("There are no probabilities of single tokens.", field="include", hint=hint)
