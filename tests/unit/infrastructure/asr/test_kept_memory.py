"""What becomes of freed memory, seen in processes of their own."""

import os
import resource
import subprocess
import sys

import pytest

from asr_service.infrastructure.asr import kept_memory

_BLOCK_BYTES = 80 << 20  # more than malloc would take from a heap
_PAGES = _BLOCK_BYTES // resource.getpagesize()
_SECOND_ALLOCATION = f"""
import ctypes, resource
from asr_service.infrastructure.asr.kept_memory import keep_freed_memory
{{wish}}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def use():
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc({_BLOCK_BYTES})
    ctypes.memset(block, 1, {_BLOCK_BYTES})
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
use()
print(use())
"""


def _faults_of_a_second_use(wish: str) -> int:
    command = [sys.executable, "-c", _SECOND_ALLOCATION.format(wish=wish)]
    kept = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=kept).stdout)


def test_by_default_a_large_block_is_given_back_and_asked_for_again() -> None:
    assert _faults_of_a_second_use("") > _PAGES / 1024  # pages may be huge


def test_memory_that_is_kept_is_there_for_the_next_use() -> None:
    assert _faults_of_a_second_use("assert keep_freed_memory()") < _PAGES / 1024


def test_a_c_library_that_cannot_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_memory.ctypes, "CDLL", lambda _name: object())
    assert not kept_memory.keep_freed_memory()
