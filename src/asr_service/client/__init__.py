"""The client of the native interfaces: live streams and followers that survive the loss of their connection, and files.

It knows nothing of the server's code; it needs ``websockets`` and ``httpx``.
"""

from asr_service.client.client import Client
from asr_service.client.errors import (
    ClientError,
    ReplayLost,
    RequestRefused,
    ServerUnreachable,
    SessionLost,
    StreamFailed,
)
from asr_service.client.events import (
    Ended,
    Event,
    Failed,
    Final,
    FollowedEvent,
    GoingAway,
    Partial,
    Reconnecting,
    Resumed,
    Safe,
    Session,
    SpeechEnded,
    SpeechStarted,
    Started,
    Word,
)
from asr_service.client.streaming import AudioFormat, StreamPolicy
from asr_service.client.synchronous import SyncClient

__all__ = [
    "AudioFormat",
    "Client",
    "ClientError",
    "Ended",
    "Event",
    "Failed",
    "Final",
    "FollowedEvent",
    "GoingAway",
    "Partial",
    "Reconnecting",
    "ReplayLost",
    "RequestRefused",
    "Resumed",
    "Safe",
    "ServerUnreachable",
    "Session",
    "SessionLost",
    "SpeechEnded",
    "SpeechStarted",
    "Started",
    "StreamFailed",
    "StreamPolicy",
    "SyncClient",
    "Word",
]
