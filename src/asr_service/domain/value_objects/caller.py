"""On whose behalf something is done. Every use case receives it; nothing reads a global user."""

from dataclasses import dataclass

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Every stored row carries the tenant, and a query never leaves it."""

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None


LOCAL_CALLER = Caller()
