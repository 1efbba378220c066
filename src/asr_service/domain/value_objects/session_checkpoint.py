"""Where a session can be taken up again, in this process or in another one."""

from dataclasses import dataclass

from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.shared.errors import AsrError


class CheckpointUnusable(AsrError):
    """What is kept of a session is damaged, or was written by a version that this one does not understand."""

    code = "checkpoint_unusable"


@dataclass(frozen=True, slots=True)
class SegmenterState:
    """All that a ``Segmenter`` knows beside its policy; its fields are those of that class. Positions in samples."""

    position: int = 0
    floor: int = 0
    candidate: int | None = None
    candidate_speech: int = 0
    candidate_end: int = 0
    start: int | None = None
    spoken_from: int = 0
    silence_start: int | None = None
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionCheckpoint:
    """A place before which everything is settled: every utterance that ended there has left as a final or a failure.

    Attributes:
        replay_from: Audio from this sample on has to be sent again. Up to the segmenter's position it is only
            remembered, after that it is listened to.
        utterances: How many utterances are settled; the next one, or the one that is open here, has this index.
        segmenter: As after the window that ends at its position.
        language: Code of the spoken language by those finals; ``None`` while they have told none.
        options: As they were in force here.
        voice: The state of the voice activity stream at the segmenter's position, of its own making.
    """

    replay_from: int
    utterances: int
    segmenter: SegmenterState
    language: str | None
    options: RecognitionOptions
    voice: bytes

    @property
    def position(self) -> int:
        """Samples in which speech has been looked for."""
        return self.segmenter.position
