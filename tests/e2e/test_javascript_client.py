"""The JavaScript client, in Node: tests/javascript, against the service that tests share."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fixtures.breakable_proxy import BreakableProxy, breakable_proxy
from tests.fixtures.node import environment_for_node
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer

ROOT = Path(__file__).resolve().parents[2]
PAUSE = bytes(16_000 * 2 * 7 // 10)  # 700 ms, in which an utterance ends

pytestmark = pytest.mark.timeout(300)  # the first run installs Node


@asynccontextmanager
async def breaker(proxy: BreakableProxy) -> AsyncIterator[str]:
    """The address of an HTTP server by which another process breaks the proxy: ``GET /300`` is an outage of 300 ms."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        outage_ms = int(request.split(b" ", 2)[1].removeprefix(b"/"))
        proxy.refusing = outage_ms > 0
        proxy.cut()
        if proxy.refusing:
            asyncio.get_running_loop().call_later(outage_ms / 1_000, setattr, proxy, "refusing", False)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


async def test_the_tests_in_javascript_pass(
    node: Path, server: RunningServer, english_clip: Clip, short_english_clip: Clip, tmp_path: Path
) -> None:
    speech = tmp_path / "speech.pcm"
    speech.write_bytes(PAUSE.join([english_clip.pcm, short_english_clip.pcm, english_clip.pcm, PAUSE]))
    tests = sorted(str(path) for path in (ROOT / "tests" / "javascript").glob("*.test.mjs"))
    async with breakable_proxy(server.http_url) as proxy, breaker(proxy) as breaker_url:
        environment = environment_for_node(
            ASR_TEST_URL=server.http_url,
            ASR_TEST_PROXY_URL=proxy.url,
            ASR_TEST_BREAKER_URL=breaker_url,
            ASR_TEST_SPEECH=str(speech),
            ASR_TEST_RECORDING=str(short_english_clip.path),
        )
        process = await asyncio.create_subprocess_exec(
            *(str(node), "--test", "--test-reporter=tap", "--test-timeout=120000", *tests),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            report = (await process.communicate())[0].decode()
        finally:
            if process.returncode is None:
                process.kill()

    assert process.returncode == 0, report
    counts = {name: int(count) for name, count in re.findall(r"^# (\w+) (\d+)$", report, flags=re.MULTILINE)}
    assert counts["pass"] == counts["tests"] >= len(tests), report
