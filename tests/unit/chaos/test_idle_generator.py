"""The generator of many microphones: its frames, and who speaks when."""

from pathlib import Path

import pytest

from scripts.chaos.idle import latencies_s
from scripts.chaos.idle_generator import IdlePlan, IdleRecord, IdleRecords, Script, frame, take_frame


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_has_the_length_that_the_protocol_wants(size: int) -> None:
    made = frame(2, bytes(size))
    head = {0: 2, 125: 2, 126: 4, 65_535: 4, 65_536: 10}[size]
    assert made[0] == 0x82
    assert made[1] & 0x80, "clients mask"
    assert len(made) == head + 4 + size


@pytest.mark.parametrize(
    ("head", "size"),
    [(b"\x81\x03", 3), (b"\x81\x7e\x00\xc8", 200), (b"\x81\x7f" + (70_000).to_bytes(8, "big"), 70_000)],
)
def test_frames_of_a_server_are_taken_when_they_are_whole(head: bytes, size: int) -> None:
    whole = head + b"x" * size
    for cut in (1, len(head) - 1, len(head), len(whole) - 1):
        buffer = bytearray(whole[:cut])
        assert take_frame(buffer) is None
        assert buffer == whole[:cut]
    buffer = bytearray(whole + b"\x89\x00")
    assert take_frame(buffer) == (1, b"x" * size)
    assert take_frame(buffer) == (9, b"")
    assert not buffer


@pytest.fixture
def plan(tmp_path: Path) -> IdlePlan:
    """Three microphones, packets of 100 ms, two seconds of noise, and an utterance of 300 ms in each second."""
    (tmp_path / "noise").write_bytes(b"\x00" * 3_200 * 2)
    (tmp_path / "speech").write_bytes(b"\x01" * 3_200 * 3)
    return IdlePlan(0, 3, 100, 1_000, 2.0, str(tmp_path / "noise"), [(str(tmp_path / "speech"), "en", 250)])


def test_everyone_speaks_once_in_a_period_and_its_end_is_known(plan: IdlePlan) -> None:
    script = Script(plan)
    speech = frame(2, b"\x01" * 3_200)
    for number in range(plan.sessions):
        spoken = [round_ for round_ in range(script.rounds) if script.packet(number, round_) == speech]
        begun = [round_ for round_ in spoken if round_ - 1 not in spoken and {round_ + 1, round_ + 2} <= set(spoken)]
        assert set(script.speech_ends_ms(number)) <= {round_ * 100 + 250 for round_ in begun}
        assert script.speech_ends_ms(number)


def test_latency_counts_from_the_end_of_speech_and_what_has_no_final_is_lost() -> None:
    heard = IdleRecord(speech_ends_ms=[2_000, 9_000], first_sample_s=100.0, finals=[(102.75, 2_100, True)])
    assert latencies_s(IdleRecords([heard], [])) == ([0.75], 1)
