"""Protocols on ports of their own: one process, one admission, TLS where a certificate is named."""

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.fixtures import funasr_client, vosk_client
from tests.fixtures.funasr_client import paced
from tests.fixtures.recordings import Clip
from tests.fixtures.server import StartServer, eventually


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", *curve, *name, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


async def test_funasr_and_vosk_are_served_where_their_clients_look_for_them(
    start_server: StartServer, certificate: tuple[Path, Path], short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    funasr_port, vosk_port = free_port(), free_port()
    server = start_server(
        ASR_SERVER__MAX_SESSIONS="1",
        ASR_SERVER__MAX_LOAD="0",
        ASR_FUNASR__PORT=str(funasr_port),
        ASR_FUNASR__TLS_CERTIFICATE=str(certificate[0]),
        ASR_FUNASR__TLS_KEY=str(certificate[1]),
        ASR_FUNASR__OFFLINE_LABEL="2pass-offline",
        ASR_VOSK__ENABLED="true",
        ASR_VOSK__PORT=str(vosk_port),
    )
    trust = ssl.create_default_context(cafile=certificate[0])
    vosk_url = f"ws://127.0.0.1:{vosk_port}/some/where"

    async with funasr_client.connected(f"wss://127.0.0.1:{funasr_port}/asr", ["binary"], ssl=trust) as client:
        assert client.subprotocol == "binary"
        (frame,) = await client.recognize(short_english_clip.pcm, "offline")
        with pytest.raises(InvalidStatus) as refused:  # the one that may come in is there, at another door
            async with vosk_client.connected(vosk_url):
                pass
    assert refused.value.response.status_code == 503
    assert frame["mode"] == "2pass-offline"
    assert short_english_clip.errors_in(frame["text"]) == 0

    eventually(lambda: server.metric("asr_websocket_closes_total", protocol="funasr"), "its place is free")
    async with vosk_client.connected(vosk_url) as vosk:
        await vosk.configure(sample_rate=16_000)
        answers = await vosk.recognize(paced(mandarin_clip.pcm, 8_000, speed=None))
    assert mandarin_clip.errors_in(vosk_client.text_of(answers)) <= 0.1

    assert server.get("/api/v1/sessions").status_code == 200
    urls = {(event["protocol"], event["url"]) for event in server.events("protocol_listening")}
    assert urls == {("funasr", f"wss://127.0.0.1:{funasr_port}/"), ("vosk", f"ws://127.0.0.1:{vosk_port}/")}
    server.assert_stops_cleanly()
