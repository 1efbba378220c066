"""Which worker goes on with an utterance."""

from asr_service.domain.ports.recognizer import RecognitionKind
from asr_service.infrastructure.asr.worker_affinity import WorkerAffinity
from tests.fixtures.recognition_requests import recognition_request

PARTIAL, FINAL = RecognitionKind


def test_nobody_is_preferred_for_sessions_that_nobody_had() -> None:
    assert WorkerAffinity().preferred([recognition_request()]) is None
    assert WorkerAffinity().preferred([]) is None


def test_the_worker_that_had_the_partial_is_preferred_for_the_next_and_for_the_final() -> None:
    affinity = WorkerAffinity()
    affinity.note("worker-1", [recognition_request(kind=PARTIAL)])
    assert affinity.preferred([recognition_request(kind=PARTIAL)]) == "worker-1"
    assert affinity.preferred([recognition_request(kind=FINAL)]) == "worker-1"
    affinity.note("worker-2", [recognition_request(kind=PARTIAL)])
    assert affinity.preferred([recognition_request(kind=PARTIAL)]) == "worker-2"


def test_after_a_final_anybody_will_do() -> None:
    affinity = WorkerAffinity()
    affinity.note("worker-1", [recognition_request(kind=PARTIAL)])
    affinity.note("worker-1", [recognition_request(kind=FINAL)])
    assert affinity.preferred([recognition_request(kind=PARTIAL)]) is None
    assert len(affinity) == 0


def test_a_batch_goes_to_the_worker_that_had_most_of_it() -> None:
    affinity = WorkerAffinity()
    partials = [recognition_request(session_id=f"ses_{number}", kind=PARTIAL) for number in range(4)]
    affinity.note("worker-1", partials[:1])
    affinity.note("worker-2", partials[1:3])
    assert affinity.preferred(partials) == "worker-2"


def test_sessions_of_the_same_name_of_two_tenants_are_two() -> None:
    affinity = WorkerAffinity()
    affinity.note("worker-1", [recognition_request(tenant="a", kind=PARTIAL)])
    assert affinity.preferred([recognition_request(tenant="b", kind=PARTIAL)]) is None


def test_the_session_that_asked_least_recently_is_forgotten_first() -> None:
    affinity = WorkerAffinity(max_sessions=2)
    first, second, third = (recognition_request(session_id=f"ses_{number}", kind=PARTIAL) for number in range(3))
    affinity.note("worker-1", [first, second])
    affinity.note("worker-1", [first])
    affinity.note("worker-1", [third])
    assert [affinity.preferred([request]) for request in (first, second, third)] == ["worker-1", None, "worker-1"]
