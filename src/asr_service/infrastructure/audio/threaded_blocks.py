"""Blocking work that gives blocks, done in threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator


async def in_threads(blocks: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
    """Iterates a generator that blocks without blocking the event loop; each block is made when it is asked for.

    However the iteration ends, by closing it early or by cancellation too, the generator is closed then. A block that is
    in the making is waited for: nothing is closed under a thread that uses it.
    """
    one_at_a_time = threading.Lock()  # a cancelled step goes on in its thread, and must end before the close

    def step() -> bytes | None:
        with one_at_a_time:
            return next(blocks, None)

    def close() -> None:
        with one_at_a_time:
            blocks.close()

    try:
        while (block := await asyncio.to_thread(step)) is not None:
            yield block
    finally:
        await asyncio.to_thread(close)
