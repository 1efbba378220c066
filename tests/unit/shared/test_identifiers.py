import re
import time

from asr_service.shared.identifiers import new_id

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def milliseconds_in(identifier: str) -> int:
    """The time that an identifier carries."""
    value = 0
    for character in identifier.rpartition("_")[2]:
        value = value << 5 | ALPHABET.index(character)
    return value >> 80


def test_an_identifier_is_a_prefix_and_26_characters() -> None:
    assert re.fullmatch(rf"ses_[{ALPHABET}]{{26}}", new_id("ses"))


def test_it_carries_the_millisecond_of_its_making() -> None:
    before = time.time_ns() // 1_000_000
    made = milliseconds_in(new_id("req"))
    assert before <= made <= time.time_ns() // 1_000_000


def test_a_listing_by_identifier_is_a_listing_by_age() -> None:
    assert sorted(ALPHABET) == list(ALPHABET), "characters sort as the digits that they stand for"
    identifiers = [new_id("ses")]
    while milliseconds_in(identifiers[-1]) < milliseconds_in(identifiers[0]) + 2:
        identifiers.append(new_id("ses"))
    assert identifiers[0] < identifiers[-1]
    by_identifier = [milliseconds_in(identifier) for identifier in sorted(identifiers)]
    assert by_identifier == sorted(by_identifier)


def test_no_two_are_alike() -> None:
    identifiers = [new_id("x") for _ in range(5_000)]
    assert len(set(identifiers)) == len(identifiers)
