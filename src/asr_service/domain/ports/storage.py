"""What can go wrong with any store, whichever port it stands behind."""

from asr_service.shared.errors import AsrError


class StorageUnavailable(AsrError):
    """The store cannot be used now: unreachable, locked by others for too long, full, damaged, or not writable.

    Nothing was stored or read, and the same call may be made again; whether and when is the caller's decision.
    The message is fit for clients; what exactly happened is the exception's ``__cause__``, for the log.
    """

    code = "storage_unavailable"
