"""The repositories and the reader on a real PostgreSQL keep the same promises as everywhere."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.test_repositories_contract import RepositoriesContract, Storage, storage_in
from tests.contract.test_transcript_reader_contract import TranscriptReaderContract


class TestPostgresqlRepositories(RepositoriesContract):
    @pytest.fixture
    async def storage(self, postgres_url: str) -> AsyncIterator[Storage]:
        async for storage in storage_in(postgres_url):
            yield storage


class TestPostgresqlTranscriptReader(TranscriptReaderContract):
    @pytest.fixture
    async def storage(self, postgres_url: str) -> AsyncIterator[Storage]:
        async for storage in storage_in(postgres_url):
            yield storage
