"""Recordings that are uploaded: received, and kept where they have a path."""

import asyncio
import shutil
import tempfile
from typing import IO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from asr_service.app.api.v1.websocket.pumps import ClientGone
from asr_service.domain.ports.audio_decoder import NoRoomForAudio

_MAX_FIELDS = 500  # the longest lists that are allowed, and some more


async def received_form(request: Request) -> FormData:
    """The whole form; large files in it are on disk.

    Raises:
        ClientGone: The client left before its recording was here.
        NoRoomForAudio: It cannot be kept.
    """
    try:
        return await request.form(max_files=1, max_fields=_MAX_FIELDS)
    except ClientDisconnect as error:
        raise ClientGone("The client left before its recording was here.") from error
    except OSError as error:
        raise _no_room(error) from error


async def kept(upload: UploadFile) -> IO[bytes]:
    """The recording as a file that has a path; closing it deletes it.

    Raises:
        NoRoomForAudio: It cannot be kept.
    """
    try:
        return await asyncio.to_thread(_copied, upload.file)
    except OSError as error:
        raise _no_room(error) from error


def _copied(source: IO[bytes]) -> IO[bytes]:
    target = tempfile.NamedTemporaryFile(prefix="asr-upload-")  # noqa: SIM115 - closed by whoever asked for it
    try:
        shutil.copyfileobj(source, target)
        target.flush()
    except BaseException:
        target.close()
        raise
    return target


def _no_room(error: OSError) -> NoRoomForAudio:
    return NoRoomForAudio(f"The recording cannot be kept until it is transcribed: {error.strerror}.")
