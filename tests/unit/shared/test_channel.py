import asyncio

import pytest

from asr_service.shared.channel import Channel, ChannelClosed


async def received(channel: Channel[int]) -> list[int]:
    return [item async for item in channel]


def test_a_channel_without_room_is_none() -> None:
    for capacity in (0, -1):
        with pytest.raises(ValueError, match="room for one item"):
            Channel[int](capacity)


async def test_items_come_out_in_the_order_in_which_they_went_in() -> None:
    channel = Channel[int](capacity=3)
    for item in range(3):
        await channel.send(item)
    assert (len(channel), channel.closed) == (3, False)
    await channel.close()
    assert await received(channel) == [0, 1, 2]
    assert (len(channel), channel.closed) == (0, True)


async def test_a_full_channel_makes_the_sender_wait() -> None:
    channel, sent = Channel[int](capacity=2), 0

    async def send() -> None:
        nonlocal sent
        for item in range(20):
            await channel.send(item)
            sent += 1
        await channel.close()

    task = asyncio.create_task(send())
    taken = 0
    async for item in channel:
        assert item == taken
        taken += 1
        assert len(channel) <= 2
        assert sent <= taken + 2
    await task
    assert taken == sent == 20


async def test_a_receiver_waits_for_the_first_item() -> None:
    channel, waiting = Channel[int](capacity=1), asyncio.Event()

    async def receive() -> int:
        waiting.set()
        async for item in channel:
            return item
        raise AssertionError("the channel was not closed")

    task = asyncio.create_task(receive())
    await waiting.wait()
    await channel.send(7)
    assert await task == 7


async def test_closing_ends_every_receiver_that_waits() -> None:
    channel, waiting = Channel[int](capacity=1), [asyncio.Event(), asyncio.Event()]

    async def receive(mine: asyncio.Event) -> list[int]:
        mine.set()
        return await received(channel)

    tasks = [asyncio.create_task(receive(event)) for event in waiting]
    for event in waiting:
        await event.wait()
    await channel.close()
    assert await asyncio.gather(*tasks) == [[], []]


async def test_closing_wakes_every_sender_that_waits_and_keeps_what_is_inside() -> None:
    channel, waiting = Channel[int](capacity=1), [asyncio.Event(), asyncio.Event()]
    await channel.send(1)

    async def send(mine: asyncio.Event) -> None:
        mine.set()
        await channel.send(2)

    tasks = [asyncio.create_task(send(event)) for event in waiting]
    for event in waiting:
        await event.wait()
    await channel.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ChannelClosed, ChannelClosed]
    assert await received(channel) == [1]


async def test_nothing_can_be_sent_to_a_closed_channel() -> None:
    channel = Channel[int](capacity=1)
    await channel.close()
    await channel.close()
    with pytest.raises(ChannelClosed):
        await channel.send(1)
    assert await received(channel) == []


async def test_several_receivers_share_the_items() -> None:
    channel = Channel[int](capacity=1)
    tasks = [asyncio.create_task(received(channel)) for _ in range(3)]
    for item in range(30):
        await channel.send(item)
    await channel.close()
    shares = await asyncio.gather(*tasks)
    assert sorted(item for share in shares for item in share) == list(range(30))
    assert all(share == sorted(share) for share in shares)


async def test_a_sender_that_is_cancelled_while_it_waits_sends_nothing() -> None:
    channel, waiting = Channel[int](capacity=1), asyncio.Event()
    await channel.send(1)

    async def send() -> None:
        waiting.set()
        await channel.send(2)

    task = asyncio.create_task(send())
    await waiting.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await channel.close()
    assert await received(channel) == [1]


async def test_a_receiver_that_is_cancelled_while_it_waits_takes_nothing() -> None:
    channel, waiting = Channel[int](capacity=1), asyncio.Event()

    async def receive() -> list[int]:
        waiting.set()
        return await received(channel)

    task = asyncio.create_task(receive())
    await waiting.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await channel.send(1)
    await channel.close()
    assert await received(channel) == [1]
