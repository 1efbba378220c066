"""Identifiers that sort by the time of their making, so that a listing by id is a listing by age."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u, so ids can be read aloud
_ID_BITS = 130  # 26 characters of 5 bits hold 48 bits of milliseconds and 80 bits of chance, as a ULID does


def new_id(prefix: str) -> str:
    """A new identifier such as ``ses_01jq…``: the prefix, then 26 characters that sort by creation time (to 1 ms)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    digits = (_ALPHABET[(value >> shift) & 31] for shift in range(_ID_BITS - 5, -1, -5))
    return f"{prefix}_{''.join(digits)}"
