"""What holds for every test: property tests that repeat exactly, and keep their finds under ``build/``."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

pytest.register_assert_rewrite("tests.contract.engine_contract")  # a suite that test modules import

pytest_plugins = [
    "tests.fixtures.app",
    "tests.fixtures.browser",
    "tests.fixtures.command_line",
    "tests.fixtures.node",
    "tests.fixtures.postgres",
    "tests.fixtures.recordings",
    "tests.fixtures.redis",
    "tests.fixtures.server",
    "tests.fixtures.tidiness",
]

ROOT = Path(__file__).resolve().parent.parent

# A run of the suite is a verdict on a commit: the same examples each time, and no judgement by the clock.
settings.register_profile("verdict", derandomize=True, deadline=None, print_blob=True)
# For a search by hand: pytest --hypothesis-profile=explore
settings.register_profile(
    "explore",
    deadline=None,
    max_examples=2000,
    database=DirectoryBasedExampleDatabase(ROOT / "build" / "hypothesis"),
)
settings.load_profile("verdict")
