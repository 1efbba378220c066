"""What pip says of its configuration."""

import pytest

from asr_service.infrastructure.artifacts.pip_configuration import parse_pip_settings
from asr_service.infrastructure.artifacts.staging import SourceFailed


def test_the_environment_wins_over_a_command_which_wins_over_the_general_section() -> None:
    listing = "\n".join(
        [
            ":env:.index-url='https://env.test/simple'",
            "global.cert='/a.pem'",
            "global.index-url='https://global.test/simple'",
            "global.timeout='5'",
            "install.timeout='7'",
        ]
    )
    assert parse_pip_settings(listing) == {"index-url": "https://env.test/simple", "cert": "/a.pem", "timeout": "7"}


def test_other_lines_and_sections_of_the_listing_are_left_out() -> None:
    assert parse_pip_settings("WARNING: something\n\nlist.format='json'\n") == {}


def test_a_value_that_is_no_literal_is_named() -> None:
    with pytest.raises(SourceFailed, match="cert cannot be read"):
        parse_pip_settings("global.cert=/a.pem")
