"""Ready means that every part says so."""

from asr_service.app.services.health import HealthService
from asr_service.domain.ports.recognizer import RecognizerUnavailable


async def _well() -> None:
    pass


async def _ill() -> None:
    raise RecognizerUnavailable("All recognition workers are restarting.")


async def test_all_is_well_when_no_check_complains() -> None:
    health = await HealthService({"recognizer": _well, "database": _well}).check()
    assert health.ready
    assert health.problems == {"recognizer": None, "database": None}


async def test_one_complaint_is_enough_and_is_told() -> None:
    health = await HealthService({"recognizer": _ill, "database": _well}).check()
    assert not health.ready
    assert health.problems == {"recognizer": "All recognition workers are restarting.", "database": None}
