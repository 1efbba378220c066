"""What came back in a session of the native protocol, as the runs of ``make trust`` look at it."""

from dataclasses import dataclass
from typing import Any

from asr_service.domain.value_objects.transcript import join_texts
from scripts.benchmarks.native_session import Pace, SessionRecord, run_session

AS_FAST_AS_TAKEN = Pace(real_time=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a session and its finals.

    Attributes:
        finals: The messages of that type.
        fault: What is wrong with the session's course, in a line; empty: it ended as it should.
    """

    finals: tuple[dict[str, Any], ...]
    fault: str

    @property
    def text(self) -> str:
        """The finals, joined as their scripts want it."""
        return join_texts(final["text"] for final in self.finals)

    @property
    def words(self) -> list[dict[str, Any]]:
        """The words of all finals, with times."""
        return [word for final in self.finals for word in final["words"]]


async def heard(stream_url: str, pcm: bytes, pace: Pace = AS_FAST_AS_TAKEN, **start: Any) -> Answer:
    """The answer to canonical audio."""
    record = await run_session(stream_url, pcm, pace=pace, **start)
    messages = [message for _, message in record.messages()]
    finals = tuple(message for message in messages if message["type"] == "final")
    return Answer(finals, _fault(record, messages))


def _fault(record: SessionRecord, messages: list[dict[str, Any]]) -> str:
    if record.refused_status is not None:
        return f"refused with status {record.refused_status}"
    if record.failure:
        return record.failure
    wrong = [message for message in messages if message["type"] in ("error", "failed")]
    if wrong:
        return f"{wrong[0]['type']}: {wrong[0]['code']}: {wrong[0]['message']}"
    if not messages or messages[-1]["type"] != "ended":
        return "the last message was not `ended`"
    ended = messages[-1]
    if ended["reason"] != "completed" or ended["final_ms"] != ended["received_ms"]:
        return f"ended as {ended['reason']}, {ended['final_ms']} of {ended['received_ms']} ms answered"
    return "" if record.close_code == 1000 else f"closed with code {record.close_code}"
