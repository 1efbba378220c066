"""Recordings as canonical audio: 16 kHz, mono, signed 16-bit little-endian."""

import json
from pathlib import Path

import av

RATE_HZ = 16_000
BYTES_PER_MS = RATE_HZ * 2 // 1000


def canonical_pcm(path: Path) -> bytes:
    """The samples of a recording of any format."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    parts = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray().tobytes() for part in resampler.resample(frame)]
        parts += [part.to_ndarray().tobytes() for part in resampler.resample(None)]
    return b"".join(parts)


def wordless_recordings(folder: Path) -> list[Path]:
    """Those of a folder's ``manifest.jsonl`` in which nobody speaks: the entries of ``kind`` noise, music or silence."""
    entries = map(json.loads, (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
    return [folder / entry["file"] for entry in entries if entry["kind"] in ("noise", "music", "silence")]


def silence(duration_ms: float) -> bytes:
    """Digital silence."""
    return bytes(round(duration_ms * RATE_HZ / 1000) * 2)
