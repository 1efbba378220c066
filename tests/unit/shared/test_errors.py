import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import asr_service.domain
from asr_service.shared.errors import AsrError, InvalidRequest, NotFound


def test_an_error_tells_what_is_wrong_and_what_to_do() -> None:
    error = AsrError("No engine is ready.", hint="Try again.", retry_after_s=2.5)
    assert str(error) == error.message == "No engine is ready."
    assert (error.hint, error.retry_after_s, error.code) == ("Try again.", 2.5, "internal_error")


def test_hint_and_retry_are_there_only_when_they_are_known() -> None:
    error = NotFound("There is no such session.")
    assert (error.hint, error.retry_after_s, error.code) == (None, None, "not_found")


def test_an_invalid_request_names_its_field() -> None:
    error = InvalidRequest("It is no number.", field="rate", hint="Use 16000.")
    assert (error.message, error.field, error.hint) == ("It is no number.", "rate", "Use 16000.")
    assert InvalidRequest("It is empty.").field is None
    assert (error.code, error.retry_after_s) == ("invalid_request", None)


def kinds_of_error() -> list[type[AsrError]]:
    """Every class of error in shared and domain."""
    for module in pkgutil.walk_packages(asr_service.domain.__path__, "asr_service.domain."):
        importlib.import_module(module.name)
    here = ("asr_service.shared.", "asr_service.domain.")
    return [kind for kind in (AsrError, *derived(AsrError)) if kind.__module__.startswith(here)]


def derived(kind: type[AsrError]) -> Iterator[type[AsrError]]:
    for child in kind.__subclasses__():
        yield child
        yield from derived(child)


@pytest.mark.parametrize("kind", kinds_of_error())
def test_every_error_has_a_public_code_and_says_what_it_means(kind: type[AsrError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.__doc__


def test_no_two_errors_share_a_code_of_their_own() -> None:
    codes = [kind.__dict__["code"] for kind in kinds_of_error() if "code" in kind.__dict__]
    assert len(codes) == len(set(codes))
