"""Recordings with their words, for tests and for a first try."""

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from asr_service.domain.ports.model_store import ModelStore
from asr_service.infrastructure.artifacts.catalogue import Catalogue, SampleSpec
from asr_service.shared.errors import AsrError

# Measured with Whisper base: a phrase of 1.4 s is misheard when it fills its file, and right with a margin around it.
_MARGIN_MS = 500
_BETWEEN_CLIPS_MS = 300
_RATE_HZ = 16_000
_BYTES_PER_MS = _RATE_HZ // 1000 * 2


class SamplesNotWritable(AsrError):
    """The samples cannot be stored where they were asked for."""

    code = "samples_not_writable"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording and what is said in it.

    ``name`` is its path within the entry. A path ending in ``.raw`` has headerless PCM: 16 kHz, mono, s16le.
    """

    name: str
    path: Path
    language: str
    reference: str


class RecordingLibrary:
    """The recordings of the catalogue, which a model store keeps."""

    def __init__(self, store: ModelStore, catalogue: Catalogue) -> None:
        self.store = store
        self._catalogue = catalogue

    def list_recordings(self, entry: str) -> list[Recording]:
        """All recordings of an entry that is on this machine.

        Raises:
            ModelUnknown: There is no such entry.
            ModelMissing: It was not pulled.
            ModelCorrupt: A file was changed.
        """
        folder = self.store.locate(entry)
        return [
            Recording(file.path, folder / file.path, file.language, file.reference)
            for file in self._catalogue.get(entry).files
            if file.language is not None and file.reference is not None
        ]

    def write_samples(self, directory: Path) -> list[Recording]:
        """Writes one English and one Mandarin WAV file (16 kHz, mono, 16 bit) into the directory, over old ones.

        Raises:
            ModelMissing: The entry that the clips come from was not pulled.
            ModelCorrupt: A clip was changed.
            SamplesNotWritable: The directory cannot be made or written to, or the disk is full.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            return [self._write_sample(sample, directory / sample.path) for sample in self._catalogue.samples]
        except OSError as error:
            raise SamplesNotWritable(
                f"The samples cannot be written to {directory}: {error.strerror or error}.",
                hint="Choose a directory that you may write to.",
            ) from error

    def _write_sample(self, sample: SampleSpec, path: Path) -> Recording:
        of_name = {recording.name: recording for recording in self.list_recordings(sample.entry)}
        clips = [of_name[clip] for clip in sample.clips]
        _write_wav(path, [clip.path for clip in clips])
        # Chinese full stops need no space after them.
        separator = "" if clips[0].language == "zh" else " "
        reference = separator.join(clip.reference for clip in clips)
        return Recording(sample.path, path, clips[0].language, reference)


def _write_wav(target: Path, clips: Sequence[Path]) -> None:
    """Joins recordings, with silence before, between and after them."""
    margin, between = (bytes(duration_ms * _BYTES_PER_MS) for duration_ms in (_MARGIN_MS, _BETWEEN_CLIPS_MS))
    with wave.open(str(target), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(_RATE_HZ)
        output.writeframes(margin + between.join(map(_pcm_of, clips)) + margin)


def _pcm_of(clip: Path) -> bytes:
    """The clip as 16 kHz mono s16le; the phrases are stored as 32-bit floats, which not every player takes."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE_HZ)
    with av.open(str(clip)) as container:
        decoded = [*container.decode(audio=0), None]  # None flushes the resampler
        frames = [frame for part in decoded for frame in resampler.resample(part)]
    return b"".join(frame.to_ndarray().tobytes() for frame in frames)
