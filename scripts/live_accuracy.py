"""What live sessions make of recordings: error rate, CPU time, and how soon finals come after the end of speech.

``scripts/benchmarks/clips.py`` says what the folder holds. Speakers talk at the same time, in real time, each through the
recordings of its share; they tell their language. The settings are those of the service, so a preset is measured by
``ASR_RECOGNIZER__PRESET=fast python -m scripts.live_accuracy recordings``.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Any

from asr_service.app.services.audio_session_service import AudioSessionService, Deliver, SessionLimits
from asr_service.bootstrap import Engines, open_engines
from asr_service.domain.events.recognition_events import PartialRecognized, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.ports.recognizer import Recognizer
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.infrastructure.config.loading import load_settings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.messaging.event_publisher import InProcessEventBus
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.shared.clock import SystemClock
from asr_service.shared.identifiers import new_id
from scripts.benchmarks.clips import Clip, errors_by_group, read_manifest
from scripts.benchmarks.processes import cpu_s

_PACKET_S = 0.1
_PAUSE = bytes(2 * SAMPLE_RATE_HZ * BYTES_PER_SAMPLE)  # after each recording, so that its end is found, not told


@dataclass(slots=True)
class Heard:
    """What all sessions delivered."""

    texts: dict[str, str] = field(default_factory=dict)
    final_latencies_s: list[float] = field(default_factory=list)
    partials: int = 0

    def listener(self, clip: Clip) -> Deliver:
        """Takes the events of the session that hears the clip."""
        self.texts[clip.name] = ""

        async def deliver(event: SessionEvent) -> None:
            match event:
                case PartialRecognized():
                    self.partials += 1
                case UtteranceFinalized():
                    self.texts[clip.name] += f" {event.hypothesis.text}"
                    self.final_latencies_s.append(event.at_s - event.endpoint_at_s)

        return deliver


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings with manifest.jsonl")
    parser.add_argument("--speakers", type=int, default=8, help="how many talk at the same time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        clips = read_manifest(arguments.folder, Path(scratch))
        print(json.dumps(asyncio.run(_measure(load_settings(), clips, arguments.speakers)), ensure_ascii=False))


async def _measure(settings: Settings, clips: list[Clip], speakers: int) -> dict[str, Any]:
    heard = Heard()
    async with (
        open_engines(settings, Metrics()) as engines,
        engines.recognizers.lease(LOCAL_CALLER, None, new_id("ses")) as leased,
    ):
        audio = {clip.name: await _canonical(engines, clip) + _PAUSE for clip in clips}
        shares = _shares(clips, speakers)
        spent_s = cpu_s(os.getpid())
        await asyncio.gather(*(_speak(engines, leased.recognizer, settings, share, audio, heard) for share in shares))
        spent_s = cpu_s(os.getpid()) - spent_s
    audio_s = sum(map(len, audio.values())) / (BYTES_PER_SAMPLE * SAMPLE_RATE_HZ)
    percentiles_s = quantiles(heard.final_latencies_s, n=20)
    return {
        "preset": settings.recognizer.preset,
        "speakers": speakers,
        "audio_s": round(audio_s, 1),
        "error_percent": errors_by_group(clips, heard.texts),
        "cpu_s_per_audio_s": round(spent_s / audio_s, 4),
        "partials_per_audio_s": round(heard.partials / audio_s, 2),
        "finals": len(heard.final_latencies_s),
        "final_after_endpoint_s": {"p50": round(percentiles_s[9], 3), "p95": round(percentiles_s[18], 3)},
    }


async def _canonical(engines: Engines, clip: Clip) -> bytes:
    return b"".join([block async for block in engines.decoder.decode_file(clip.path)])


def _shares(clips: list[Clip], speakers: int) -> list[list[Clip]]:
    """The recordings dealt out, the longest first, each to who has least."""
    shares: list[list[Clip]] = [[] for _ in range(speakers)]
    for clip in sorted(clips, key=lambda clip: -clip.seconds):
        min(shares, key=lambda share: sum(each.seconds for each in share)).append(clip)
    return shares


async def _speak(
    engines: Engines,
    recognizer: Recognizer,
    settings: Settings,
    clips: list[Clip],
    audio: dict[str, bytes],
    heard: Heard,
) -> None:
    sessions = AudioSessionService(
        detector=engines.detector,
        publisher=InProcessEventBus(()),
        clock=SystemClock(),
        limits=SessionLimits(),
    )
    config = SessionConfig(endpointing=settings.endpointing.policy(), partials=settings.partials.policy())
    for clip in clips:
        options = RecognitionOptions(language=clip.group)
        listener = heard.listener(clip)
        session = sessions.open(LOCAL_CALLER, replace(config, options=options), None, listener, recognizer)
        running = asyncio.create_task(session.run())
        await _in_real_time(audio[clip.name], session.push_audio)
        await session.end_input()
        await running


async def _in_real_time(pcm: bytes, push: Callable[[bytes], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    packet_bytes = round(_PACKET_S * SAMPLE_RATE_HZ) * BYTES_PER_SAMPLE
    due_s = loop.time()
    for start in range(0, len(pcm), packet_bytes):
        await push(pcm[start : start + packet_bytes])
        due_s += _PACKET_S
        await asyncio.sleep(max(0.0, due_s - loop.time()))


if __name__ == "__main__":
    main()
