"""The one table of what errors mean: complete, and sensible on every way to a client."""

import importlib
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus

import pytest

import asr_service
from asr_service.app.api.error_handlers import error_response
from asr_service.app.api.errors import MEANINGS, Meaning, meaning_of
from asr_service.domain.ports.model_store import ModelDownloadFailed
from asr_service.shared.errors import AsrError, InvalidRequest, NotFound


def _kinds(kind: type[AsrError] = AsrError) -> Iterator[type[AsrError]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _kinds(derived)


def _of_the_service() -> list[type[AsrError]]:
    """Every kind that the domain and the application name."""
    for part in ("domain", "app", "shared"):
        package = importlib.import_module(f"{asr_service.__name__}.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    layers = tuple(f"asr_service.{part}." for part in ("domain", "app", "shared"))
    return sorted({kind for kind in _kinds() if kind.__module__.startswith(layers)}, key=lambda kind: kind.__name__)


def _meaning(kind: type[AsrError]) -> Meaning:
    return meaning_of(ModelDownloadFailed("x", {}) if kind is ModelDownloadFailed else kind("message"))


@pytest.mark.parametrize("kind", _of_the_service(), ids=lambda kind: kind.__name__)
def test_every_error_means_something_to_every_client(kind: type[AsrError]) -> None:
    meaning = _meaning(kind)
    assert (
        kind is AsrError or meaning is not MEANINGS[AsrError] or kind in MEANINGS
    ), "it would be a fault of the server"
    assert HTTPStatus(meaning.http_status) >= HTTPStatus.BAD_REQUEST
    assert meaning.close_code in (1001, 1003, 1008, 1009, 1011, 1012, 1013)
    assert 64 <= meaning.exit_code <= 78
    assert meaning.openai_type == ("server_error" if meaning.http_status >= 500 else "invalid_request_error")


def test_codes_are_slugs_and_stand_for_one_thing() -> None:
    codes: dict[str, set[Meaning]] = {}
    for kind in _of_the_service():
        assert kind.code.replace("_", "").isalpha()
        assert kind.code == kind.code.lower()
        codes.setdefault(kind.code, set()).add(_meaning(kind))
    assert {code for code, meanings in codes.items() if len(meanings) > 1} == set()


def test_a_kind_without_an_entry_means_what_its_parent_means() -> None:
    class NoSuchPage(NotFound):
        code = "no_such_page"

    assert meaning_of(NoSuchPage("It is gone.")) == MEANINGS[NotFound]


def test_an_error_says_when_to_come_again_and_what_is_wrong() -> None:
    error = AsrError("All places are taken.", hint="Try again later.", retry_after_s=4.6)
    problem = error_response("/api/v1/sessions", error, MEANINGS[AsrError])
    assert problem.headers["retry-after"] == "5"
    assert problem.headers["content-type"] == "application/problem+json"
    openai = error_response("/v1/models", InvalidRequest("Wrong.", field="model"), MEANINGS[InvalidRequest], code="own")
    assert "retry-after" not in openai.headers
    assert bytes(openai.body) == (
        b'{"error":{"message":"Wrong.","type":"invalid_request_error","param":"model","code":"own"}}'
    )
