"""Model hubs: plain HTTPS, one file at a time, at a fixed revision."""

from collections.abc import Iterator
from urllib.parse import quote

from asr_service.domain.ports.model_store import PullStage
from asr_service.infrastructure.artifacts.catalogue import Entry, FileSpec, HubSpec
from asr_service.infrastructure.artifacts.http_download import Download, open_client
from asr_service.infrastructure.artifacts.staging import Staging, read_chunks

DEFAULT_ENDPOINTS = {"hugging-face": "https://huggingface.co", "model-scope": "https://modelscope.cn/models"}


class HubSource:
    """Fetches the files of a repository.

    ``endpoint`` is what stands before the repository's name in ``ENDPOINT/REPOSITORY/resolve/REVISION/PATH``, the
    address that both hubs use; a mirror of a hub is another endpoint.
    """

    def __init__(self, spec: HubSpec, endpoint: str, *, pause_s: float) -> None:
        self.label: str = spec.type
        self._address = f"{endpoint.rstrip('/')}/{spec.repository}/resolve/{spec.revision}"
        self._revision = spec.revision
        self._pause_s = pause_s

    def fetch(self, entry: Entry, staging: Staging) -> None:
        """Downloads every file.

        Raises:
            SourceFailed: The hub cannot be reached, or does not have a file, or another one.
        """
        folder = staging.downloads / self.label
        done_bytes = 0

        def on_bytes(file_bytes: int) -> None:
            staging.report(PullStage.FETCHING, done_bytes + file_bytes, entry.size_bytes)

        with open_client() as client:
            for file in entry.files:
                target = folder / file.path
                size_bytes, sha256 = file.size_bytes, file.sha256
                download = Download(client, target, size_bytes=size_bytes, sha256=sha256, pause_s=self._pause_s)
                download.run(f"{self._address}/{quote(file.path)}", on_bytes)
                done_bytes += size_bytes

        def chunks_of(file: FileSpec) -> Iterator[bytes]:
            with (folder / file.path).open("rb") as stream:
                yield from read_chunks(stream)

        staging.add_all(chunks_of)
