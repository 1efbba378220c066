"""What the web server is told, and the certificate of a listener."""

from pathlib import Path

import pytest
from starlette.applications import Starlette

from asr_service.app.api.v1.websocket.wire_protocols import TlsFiles
from asr_service.cli import serve
from asr_service.infrastructure.config.settings import Settings


def test_a_whole_utterance_fits_into_one_message_on_every_port() -> None:
    for tls in (None, TlsFiles(Path("certificate.pem"), Path("key.pem"))):
        config = serve._uvicorn_config(Settings(), Starlette(), tls)
        assert config.ws_max_size >= 16 << 20


@pytest.mark.parametrize("written", [None, "nonsense"])
def test_files_that_are_no_certificate_are_found_out_at_once(tmp_path: Path, written: str | None) -> None:
    certificate = tmp_path / "certificate.pem"
    if written is not None:
        certificate.write_text(written, encoding="utf-8")
    with pytest.raises(serve.TlsUnusable, match=r"certificate\.pem and .* cannot be used") as refused:
        serve._check_tls(TlsFiles(certificate, certificate))
    assert refused.value.hint is not None
