"""The fields of a multipart form, in all the spellings that clients of OpenAI's interface use."""

import re
from enum import StrEnum
from typing import TypeVar

from starlette.datastructures import FormData, UploadFile

from asr_service.shared.errors import InvalidRequest

Choice = TypeVar("Choice", bound=StrEnum)
_TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": False}
_SHOWN_CHARACTERS = 40


class FormFields:
    """Reads a form. A field that is a file where a text belongs counts as left out, and so does an empty text."""

    def __init__(self, form: FormData) -> None:
        self._form = form

    def file(self, name: str) -> UploadFile:
        """An uploaded file.

        Raises:
            InvalidRequest: There is none of this name.
        """
        file = self._form.get(name)
        if not isinstance(file, UploadFile):
            hint = f"Send multipart/form-data with a part named {name}."
            raise InvalidRequest(f"The form has no {name}.", field=name, hint=hint)
        return file

    def text(self, name: str) -> str:
        """The field without surrounding spaces; the last one, if there are several."""
        value = self._form.get(name)
        return value.strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a list. OpenAI's libraries send ``name[]``, people with curl often ``name``."""
        values = [value for key, value in self._form.multi_items() if key in (name, f"{name}[]")]
        return [value.strip() for value in values if isinstance(value, str) and value.strip()]

    def nested(self, name: str) -> dict[str, str]:
        """The parts of an object that is sent as ``name[part]``, as OpenAI's libraries do."""
        bracketed = re.compile(rf"{re.escape(name)}\[([^\[\]]+)\]")
        found = ((bracketed.fullmatch(key), value) for key, value in self._form.multi_items())
        return {match[1]: value for match, value in found if match is not None and isinstance(value, str)}

    def truth(self, name: str) -> bool:
        """Whether the field says so; left out, it does not.

        Raises:
            InvalidRequest: It says neither.
        """
        text = self.text(name)
        truth = _TRUTHS.get(text.lower())
        if truth is None:
            raise InvalidRequest(f"{_shown(text)} is no {name}.", field=name, hint="Use true or false.")
        return truth

    def number(self, name: str, low: float, high: float) -> float:
        """The field as a number within bounds; 0 if it is left out.

        Raises:
            InvalidRequest: It is none.
        """
        text = self.text(name)
        try:
            number = float(text or 0)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            hint = f"Use a number from {low:g} to {high:g}."
            raise InvalidRequest(f"{_shown(text)} is no {name}.", field=name, hint=hint)
        return number

    def choice(self, choices: type[Choice], name: str, default: Choice) -> Choice:
        """The field as one of the choices.

        Raises:
            InvalidRequest: It is none of them.
        """
        text = self.text(name)
        return chosen(choices, text, name) if text else default


def chosen(choices: type[Choice], text: str, field: str) -> Choice:
    """One of the choices.

    Raises:
        InvalidRequest: The text is none of them.
    """
    try:
        return choices(text)
    except ValueError:
        hint = f"Use one of: {', '.join(choices)}."
        raise InvalidRequest(f"{_shown(text)} is no {field}.", field=field, hint=hint) from None


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARACTERS])
