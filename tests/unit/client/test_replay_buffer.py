"""What is sent again after a loss: everything from a position on, in its order, and nothing twice."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.client.replay_buffer import Item, ReplayBuffer

BYTES_PER_MS = Fraction(2)
ITEMS = st.lists(
    st.one_of(
        st.integers(1, 300).map(lambda size: bytes(value % 251 for value in range(size))), st.just('{"type": "x"}')
    ),
    max_size=12,
)


def drained(buffer: ReplayBuffer) -> list[Item]:
    items = []
    while (item := buffer.take()) is not None:
        items.append(item)
    return items


def audio(items: list[Item]) -> bytes:
    return b"".join(item for item in items if isinstance(item, bytes))


def filled(items: list[Item], max_bytes: int = 1 << 20) -> ReplayBuffer:
    buffer = ReplayBuffer(BYTES_PER_MS, max_bytes)
    for item in items:
        buffer.append(item)
    return buffer


@given(ITEMS)
def test_what_is_given_is_taken_in_its_order(items: list[Item]) -> None:
    assert drained(filled(items)) == items


@given(ITEMS, st.floats(0, 1), st.floats(0, 1))
def test_after_a_loss_everything_from_the_position_on_comes_again(items: list[Item], safe: float, again: float) -> None:
    buffer = filled(items)
    drained(buffer)
    end_ms = len(audio(items)) // 2
    safe_ms = int(safe * end_ms)
    buffer.forget_before(safe_ms)
    from_ms = safe_ms + int(again * (end_ms - safe_ms))
    assert buffer.rewind(from_ms)
    replayed = drained(buffer)
    assert audio(replayed) == audio(items)[2 * from_ms :]
    assert buffer.take() is None


def test_a_message_comes_again_if_its_place_does() -> None:
    buffer = filled([bytes(40), "first", bytes(40), "second", bytes(40), "end"])
    drained(buffer)
    assert buffer.rewind(40)
    assert drained(buffer) == ["second", bytes(40), "end"]
    assert buffer.rewind(39)
    assert drained(buffer) == [bytes(2), "second", bytes(40), "end"]


def test_a_position_that_is_safe_cannot_be_gone_back_behind() -> None:
    buffer = filled([bytes(40), bytes(40)])
    drained(buffer)
    buffer.forget_before(20)
    assert buffer.begins_at == 40
    assert not buffer.rewind(10)
    assert not buffer.rewind(41)
    assert buffer.rewind(20)


def test_too_much_audio_is_forgotten_from_its_beginning_once_it_was_sent() -> None:
    buffer = filled([bytes(60), bytes(60)], max_bytes=100)
    assert buffer.begins_at == 0, "nothing of it was sent"
    drained(buffer)
    buffer.append(bytes(10))
    assert buffer.begins_at == 60
    assert not buffer.rewind(0)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_positions_are_whole_samples_at_every_usual_rate(rate: int) -> None:
    packet = bytes(2 * rate)  # a second
    buffer = ReplayBuffer(Fraction(2 * rate, 1_000), 1 << 20)
    buffer.append(packet)
    drained(buffer)
    assert buffer.rewind(360)
    (rest,) = drained(buffer)
    assert len(rest) == 2 * rate * 640 // 1_000
