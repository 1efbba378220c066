"""What the first bytes of an audio file look like."""

SIGNATURE_BYTES = 12  # so many are needed to tell

_SIGNATURES = (
    (0, b"ID3", "an MP3 file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"\x1a\x45\xdf\xa3", "a WebM or Matroska file"),
    (4, b"ftyp", "an MP4 or M4A file"),
    (8, b"AIFF", "an AIFF file"),
    (0, b"caff", "a CAF file"),
    (0, b"#!AMR", "an AMR file"),
)
"""Offset, bytes, name. Two equal bytes, as MP3 frames and raw AAC begin with, are no signature: PCM has them too."""


def is_wav(head: bytes) -> bool:
    """Whether a stream that begins so is a WAV file, or one of more than 4 GiB."""
    return head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"


def container_name(head: bytes) -> str | None:
    """The kind of file other than WAV that begins so, with its article; ``None`` when it may be anything."""
    return next((name for offset, magic, name in _SIGNATURES if head[offset : offset + len(magic)] == magic), None)
