"""Which kind of installation this is."""

from enum import StrEnum


class Environment(StrEnum):
    """What the installation is for; production refuses settings that are fit for a desk only."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"  # looks like production, JSON logs included, but refuses nothing
    PRODUCTION = "production"

    @property
    def read_by_machines(self) -> bool:
        """Whether logs go to a collector rather than to a person."""
        return self in (Environment.STAGING, Environment.PRODUCTION)
