"""URLs that carry secrets, in a form that may be shown."""

import re
from typing import Final

MASK: Final = "***"

_SECRET_PARAMETER: Final = re.compile(r"(?P<key>[?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)


def mask_url(url: str) -> str:
    """The URL without its password and without the values of parameters that are named like secrets.

    A password that should have been percent-encoded and was not is masked too: everything up to the last ``@`` counts
    as user and password. What is no URL at all is masked as a whole.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return MASK
    credentials, at, location = rest.rpartition("@")
    if at:
        user, colon, _password = credentials.partition(":")
        rest = f"{user}:{MASK}@{location}" if colon else f"{credentials}@{location}"
    return scheme + separator + _SECRET_PARAMETER.sub(rf"\g<key>{MASK}", rest)
