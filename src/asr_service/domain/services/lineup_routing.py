"""Which lineup a session gets that names none itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from asr_service.shared.errors import InvalidRequest

_HASH_BYTES = 8


class RoutingNotAllowed(InvalidRequest, ValueError):
    """The rules do not fit together."""


@dataclass(frozen=True, slots=True)
class LineupRouting:
    """The rules: a tenant's lineup, else the canary's share, else the default.

    Attributes:
        default: What everybody gets of whom nothing else is said.
        tenants: Lineups of single tenants; the canary does not concern them.
        canary: A lineup that is tried out on a share of those who would get the default; ``None``: there is none.
        canary_share: That share, 0–1.
    """

    default: str
    tenants: Mapping[str, str] = field(default_factory=dict)
    canary: str | None = None
    canary_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.canary_share <= 1.0:
            raise RoutingNotAllowed("canary_share is a share, from 0 to 1", field="canary_share")
        if self.canary_share and self.canary is None:
            raise RoutingNotAllowed("canary_share is of no use without canary", field="canary")

    @property
    def lineups(self) -> frozenset[str]:
        """Every lineup that a session may be routed to."""
        tried_out = () if self.canary is None else (self.canary,)
        return frozenset((self.default, *self.tenants.values(), *tried_out))

    def choose(self, tenant: str, session_id: str) -> str:
        """The lineup of a session; always the same one for the same session by the same rules."""
        if (own := self.tenants.get(tenant)) is not None:
            return own
        if self.canary is not None and _place(session_id) < self.canary_share:
            return self.canary
        return self.default


def _place(session_id: str) -> float:
    """Where the session stands between 0 and 1 (excluded). A larger share has everybody that a smaller one had."""
    return int.from_bytes(sha256(session_id.encode()).digest()[:_HASH_BYTES]) / float(256**_HASH_BYTES)
