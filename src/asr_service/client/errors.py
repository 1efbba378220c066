"""What can go wrong for a client."""


class ClientError(Exception):
    """Any failure that this package names.

    Attributes:
        code: The server's slug, or one of this package.
        hint: What to do about it; ``None`` when there is nothing useful to say.
        retry_after_s: Seconds after which the same may succeed; ``None`` when repeating it is no use.
    """

    def __init__(self, message: str, *, code: str, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.retry_after_s = retry_after_s


class ServerUnreachable(ClientError):
    """No server took the connection for as long as was to be tried."""


class RequestRefused(ClientError):
    """The server did not take the request, or could not fulfil it."""


class StreamFailed(ClientError):
    """The server ended the stream with an error that a new connection would not mend."""


class SessionLost(ClientError):
    """The server does not know the session any more, after part of it was told."""


class ReplayLost(ClientError):
    """The server wants audio again that is not kept here any more: more of it than ``max_kept_s``."""
