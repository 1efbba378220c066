import asyncio

import pytest

from asr_service.shared.correlation import correlated, current_correlation


def test_outside_of_any_block_there_is_none() -> None:
    assert current_correlation() == {}


def test_identifiers_are_in_force_inside_the_block() -> None:
    with correlated(request_id="req_1"):
        assert current_correlation() == {"request_id": "req_1"}
    assert current_correlation() == {}


def test_an_inner_block_adds_to_the_outer_one_and_may_replace() -> None:
    with correlated(request_id="req_1", tenant="acme"):
        with correlated(request_id="req_2", session_id="ses_1"):
            assert current_correlation() == {"request_id": "req_2", "tenant": "acme", "session_id": "ses_1"}
        assert current_correlation() == {"request_id": "req_1", "tenant": "acme"}


def test_an_error_does_not_leave_identifiers_behind() -> None:
    with pytest.raises(RuntimeError), correlated(request_id="req_1"):
        raise RuntimeError
    assert current_correlation() == {}


async def test_a_task_keeps_the_identifiers_of_where_it_was_started() -> None:
    began, released = asyncio.Event(), asyncio.Event()

    async def work() -> dict[str, str]:
        began.set()
        await released.wait()
        return current_correlation()

    with correlated(session_id="ses_1"):
        task = asyncio.create_task(work())
    await began.wait()
    released.set()
    assert await task == {"session_id": "ses_1"}


async def test_what_a_task_adds_does_not_show_in_another() -> None:
    both_inside = asyncio.Barrier(2)

    async def work(name: str) -> dict[str, str]:
        with correlated(session_id=name):
            await both_inside.wait()
            return current_correlation()

    found = await asyncio.gather(work("ses_1"), work("ses_2"))
    assert found == [{"session_id": "ses_1"}, {"session_id": "ses_2"}]
    assert current_correlation() == {}
