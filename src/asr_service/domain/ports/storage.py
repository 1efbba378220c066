"""What can go wrong with any store, whichever port it stands behind."""

from asr_service.shared.errors import AsrError


class StorageUnavailable(AsrError):
    """The store cannot be used now: unreachable, locked by others for too long, full, damaged, or not writable.

    Whether a write took effect is unknown (its answer may be what was lost), so what is stored through a port is stored
    once however often it is repeated; whether and when to repeat is the caller's decision. The message of a reading or
    writing call tells a client nothing of the house; what exactly happened is ``__cause__``, for the log.
    """

    code = "storage_unavailable"
