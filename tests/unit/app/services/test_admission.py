"""So many and no more; and every place comes back."""

import pytest

from asr_service.app.services.admission import Admission, ServiceOverloaded
from asr_service.domain.value_objects.caller import LOCAL_CALLER


def test_places_are_counted() -> None:
    admission = Admission(2)
    with admission.admit(LOCAL_CALLER):
        with admission.admit(LOCAL_CALLER):
            assert admission.active == 2
        assert admission.active == 1
    assert admission.active == 0


def test_a_full_house_says_when_to_come_again() -> None:
    admission = Admission(1, retry_after_s=7.0)
    with admission.admit(LOCAL_CALLER):
        with pytest.raises(ServiceOverloaded) as refused, admission.admit(LOCAL_CALLER):
            raise AssertionError("nobody should get in")
        assert refused.value.retry_after_s == 7.0
        assert admission.active == 1
    with admission.admit(LOCAL_CALLER):
        assert admission.active == 1


def test_a_failure_gives_its_place_back() -> None:
    admission = Admission(1)
    with pytest.raises(ValueError, match="broken"), admission.admit(LOCAL_CALLER):
        raise ValueError("broken")
    assert admission.active == 0
