"""The order in which waiting requests get their turn."""

import asyncio
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.asr.fair_queue import FairQueue, PendingRequest
from tests.fixtures.recognition_requests import recognition_request


def pending(tenant: str, session: str, number: int = 0) -> PendingRequest:
    loop = asyncio.new_event_loop()
    loop.close()
    request = recognition_request(tenant=tenant, session_id=f"{tenant}/{session}", utterance=number, seconds=0)
    return PendingRequest(request, asyncio.Future(loop=loop), queued_at_s=0.0)


def filled(*items: PendingRequest) -> FairQueue:
    queue = FairQueue()
    for item in items:
        queue.append(item)
    return queue


def taken(queue: FairQueue) -> list[PendingRequest]:
    """Everything, taken one by one."""
    order = []
    while queue:
        first = next(iter(queue))
        queue.take(first)
        order.append(first)
    return order


def test_an_empty_queue_has_nothing_next() -> None:
    queue = FairQueue()
    assert list(queue) == []
    assert len(queue) == 0


def test_tenants_take_turns_whatever_they_have_waiting() -> None:
    greedy = [pending("greedy", "a", number) for number in range(3)]
    modest = pending("modest", "b")
    assert taken(filled(*greedy, modest)) == [greedy[0], modest, greedy[1], greedy[2]]


def test_sessions_of_one_tenant_take_turns() -> None:
    busy = [pending("t", "busy", number) for number in range(3)]
    calm = [pending("t", "calm", number) for number in range(2)]
    assert taken(filled(*busy, *calm)) == [busy[0], calm[0], busy[1], calm[1], busy[2]]


def test_who_has_had_a_turn_waits_for_the_others() -> None:
    first, second, other = pending("a", "s", 0), pending("a", "s", 1), pending("b", "s")
    queue = filled(first, second)
    queue.take(first)
    queue.append(other)
    queue.append(pending("a", "new"))
    assert [item.request.tenant for item in taken(queue)] == ["a", "b", "a"]


def test_a_request_put_back_is_next() -> None:
    first, second, other = pending("a", "s", 0), pending("a", "s", 1), pending("b", "s")
    queue = filled(first, second, other)
    queue.take(first)
    queue.push_front(first)
    assert next(iter(queue)) is first
    assert queue.of_session(first.request) == (first, second)


def test_a_replacement_inherits_the_turn() -> None:
    old, other, new = pending("a", "s", 0), pending("b", "s"), pending("a", "s", 1)
    queue = filled(old, other)
    queue.replace(old, new)
    assert list(queue) == [new, other]


def test_discarding_what_is_not_there_changes_nothing() -> None:
    item, stranger = pending("a", "s"), pending("a", "s")
    queue = filled(item)
    queue.discard(stranger)
    queue.discard(pending("nobody", "s"))
    assert list(queue) == [item]
    queue.discard(item)
    assert len(queue) == 0


_owners = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=40)


@given(_owners)
def test_iterating_foretells_the_order_of_taking(owners: list[tuple[str, str]]) -> None:
    queue = filled(*(pending(tenant, session, number) for number, (tenant, session) in enumerate(owners)))
    foretold = list(queue)
    assert taken(queue) == foretold
    assert len(foretold) == len(owners)


@given(_owners)
def test_sessions_keep_their_order(owners: list[tuple[str, str]]) -> None:
    order = taken(filled(*(pending(*owner, number) for number, owner in enumerate(owners))))
    for owner in set(owners):
        numbers = [item.request.utterance for item in order if item.request.session_id == "/".join(owner)]
        assert numbers == sorted(numbers)


@given(_owners)
def test_between_two_turns_of_a_tenant_every_other_one_that_waits_has_one(owners: list[tuple[str, str]]) -> None:
    order = [item.request.tenant for item in taken(filled(*(pending(*owner) for owner in owners)))]
    for tenant in set(order):
        turns = [place for place, who in enumerate(order) if who == tenant]
        for earlier, later in pairwise(turns):
            still_waiting = Counter(order[earlier:]).keys() - {tenant}
            between = Counter(order[earlier + 1 : later])
            later_on = set(order[later:]) - {tenant}
            assert all(between[other] == 1 for other in later_on)
            assert still_waiting >= between.keys()
